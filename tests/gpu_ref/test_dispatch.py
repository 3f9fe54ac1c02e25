"""Every shape finds a kernel that takes it and fits the card; what cannot be taken is refused with what is needed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from gpu_ref import dispatch
from gpu_ref.card import Card
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.bytes_product import Int8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq
from gpu_ref.plan import rounds
from gpu_ref.program import GemmShape, Launch
from gpu_ref.settings import layers, load_settings
from sim.errors import InputError

SETTINGS = load_settings()
LAYERS = layers(SETTINGS.shapes.models)
TOKENS = (1, 2, 15, 16, 17, 32, 33, 64, 65, 128, 129, 256, 511, 512, 2048)


def test_all_kernels_fit_every_card_on_every_layer(card: Card) -> None:
    for (columns, depth), tokens in itertools.product(LAYERS, TOKENS):
        shape = GemmShape(tokens, columns, depth)
        for kernel in dispatch.all_kernels(shape, card, (1, 7, 8, 15)):
            for launch in kernel.launches(shape):
                if isinstance(launch, Launch):
                    assert launch.shared_bytes <= card.shared_bytes, (kernel, shape)
                    assert launch.grid[1] <= 65535
                    assert launch.grid[2] <= 65535


def test_the_choice_for_w4a16_and_anda_is_one_of_those_that_are_timed(card: Card) -> None:
    for one in rounds(SETTINGS, LAYERS, card):
        if one.is_first:
            assert dispatch.w4a16(one.shape, card) in one.kernels
            chosen = {dispatch.anda(one.shape, card, bits) for bits in SETTINGS.mantissa_bits.first}
            assert chosen <= set(one.kernels)


def test_the_plan_has_every_kernel_on_every_shape_once(card: Card) -> None:
    seen: dict[GemmShape, list[Kernel]] = {}
    for one in rounds(SETTINGS, LAYERS, card):
        seen.setdefault(one.shape, []).extend(kernel for kernel in one.kernels if kernel.source != "fp16")
    lengths = [*SETTINGS.mantissa_bits.first, *SETTINGS.mantissa_bits.later]
    for shape, kernels in seen.items():
        assert len(kernels) == len(set(kernels)), shape
        sources = {kernel.source for kernel in kernels}
        everything = {kernel.source for kernel in dispatch.all_kernels(shape, card, lengths)} - {"fp16"}
        assert sources == everything, shape


def test_the_plan_begins_with_the_largest_layer_at_one_token(card: Card) -> None:
    first = next(iter(rounds(SETTINGS, LAYERS, card)))
    assert first.shape == GemmShape(1, 28672, 8192)
    assert [kernel.source for kernel in first.kernels][:2] == ["fp16", "w4a16"]


def test_k_is_split_until_the_card_is_full_and_no_further(card: Card) -> None:
    narrow, wide = (dispatch.w4a16_warps(GemmShape(1, columns, 4096), card) for columns in (1024, 65536))
    # 16 blocks of 64 columns; each keeps 512 of depth a warp, four warps
    assert narrow.splits == 2
    assert wide.splits == 1


REFUSED: list[tuple[Kernel, GemmShape, str, str]] = [
    (W4a16(), GemmShape(1, 100, 128), "columns", "a multiple of 64"),
    (W4a16(), GemmShape(1, 128, 100), "depth", "a multiple of 128"),
    (W4a16Awq(), GemmShape(1, 64, 128), "columns", "a multiple of 128"),
    (Anda(7), GemmShape(1, 48, 128), "columns", "a multiple of 32"),
    (Anda(7), GemmShape(1, 64, 64), "depth", "a multiple of 128"),
    (Int8(), GemmShape(1, 64, 24), "depth", "a multiple of 16"),
    (Int8(), GemmShape(1, 64, 0), "depth", "a multiple of 16"),
    (Bipolar(8, 8), GemmShape(1, 32, 33152), "depth", "up to 33025: sums stay within 32 bits"),
]


@pytest.mark.parametrize(("kernel", "shape", "field", "needed"), REFUSED)
def test_a_shape_that_a_kernel_cannot_take_is_refused(
    kernel: Kernel, shape: GemmShape, field: str, needed: str
) -> None:
    with pytest.raises(InputError) as caught:
        kernel.timed(shape)
    assert caught.value.field == field
    assert needed in caught.value.facts.values()


@pytest.mark.parametrize(
    ("family", "values"),
    [(Anda, {"mantissa_bits": 0}), (Anda, {"mantissa_bits": 16}), (Anda, {"mantissa_bits": 15, "zero_points": True}),
     (Bipolar, {"bits_a": 9}), (Bipolar, {"bits_b": 0})],
)  # fmt: skip
def test_a_length_that_a_kernel_cannot_take_is_refused(family: Any, values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot take"):
        family(**values)


@pytest.mark.parametrize("columns", range(32, 32 * 9, 32))
@pytest.mark.parametrize("tokens", [16, 33, 64, 200])
def test_an_anda_tile_has_a_thread_a_token(card: Card, columns: int, tokens: int) -> None:
    kernel = dispatch.anda_warps(GemmShape(tokens, columns, 256), card, 8)
    assert kernel.tokens <= 32 * kernel.warps_n * kernel.warps_k
    assert columns % (32 * kernel.warps_n) == 0
