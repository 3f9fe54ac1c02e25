"""Which kernel and which tiling a shape gets on a card.

Blocks are meant to fill every multiprocessor `_WAVES` times. Where the tiles of C are too few, K is split over blocks,
or for Anda, whose contract fixes the order of its sums, over the warps of a block. The rules follow rooflines; bench
records what each choice costs beside its alternatives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from gpu_ref.card import Card
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaFp16, AndaFp16Wgmma, AndaWgmma
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.bytes_product import Fp8, Fp8Wgmma, Int8
from gpu_ref.kernels.dequantise import Dequantised
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.llm_int8 import LlmInt8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq, W4a16Wgmma
from gpu_ref.program import GemmShape
from sim.errors import InputError

_WAVES = 2
_DEQUANTISE_FROM = 512  # tokens from which writing FP16 weights out costs less than it gains
_Family = TypeVar("_Family", bound=W4a16 | Int8 | LlmInt8 | Bipolar)


def w4a16(shape: GemmShape, card: Card) -> Kernel:
    """The W4A16 kernel for a shape: warps up to 32 tokens, warpgroups above, FP16 weights for long prompts."""
    if shape.tokens >= _DEQUANTISE_FROM:
        return Dequantised()
    if shape.tokens > 32 and card.is_hopper and shape.columns % 128 == 0:
        return w4a16_wgmma(shape, card)
    return w4a16_warps(shape, card)


def w4a16_warps(shape: GemmShape, card: Card) -> W4a16:
    """Warp products: more warps along K for few tokens, more along columns for many."""
    tokens = tile_rows(shape.tokens, (16, 32, 64))
    if tokens <= 32:
        kernel = W4a16(tokens=tokens, warps_n=1, warps_k=4, output="float16")
    else:
        warps_n = next(n for n in (4, 2, 1) if shape.columns % (64 * n) == 0 or n == 1)
        kernel = W4a16(tokens=tokens, warps_n=warps_n, warps_k=1, output="float16")
    while kernel.shared_bytes > card.shared_bytes:
        kernel = replace(kernel, stages=kernel.stages - 1)
    return _split(kernel, shape, card, 64 * kernel.warps_n, 512 * kernel.warps_k)


def w4a16_awq(shape: GemmShape, card: Card) -> W4a16Awq:
    """AWQ's way, tiled as the others."""
    return _split(W4a16Awq(tokens=tile_rows(shape.tokens, (16, 32, 64)), output="float16"), shape, card, 128, 512)


def w4a16_wgmma(shape: GemmShape, card: Card) -> W4a16Wgmma:
    """Warpgroup products."""
    tokens = tile_rows(shape.tokens, (16, 32, 64, 128, 256))
    return _split(W4a16Wgmma(tokens=tokens, output="float16"), shape, card, 128, 512)


def anda(
    shape: GemmShape, card: Card, mantissa_bits: int, *, from_fp16: bool = False, zero_points: bool = False
) -> Anda:
    """The Anda kernel for a shape: warps share K for few tokens; on Hopper warpgroups above 16."""
    if shape.tokens > 16 and card.is_hopper and shape.columns % 128 == 0:
        return anda_wgmma(shape, mantissa_bits, from_fp16=from_fp16, zero_points=zero_points)
    return anda_warps(shape, card, mantissa_bits, from_fp16=from_fp16, zero_points=zero_points)


def anda_warps(
    shape: GemmShape, card: Card, mantissa_bits: int, *, from_fp16: bool = False, zero_points: bool = False
) -> Anda:
    """Warp products."""
    family = AndaFp16 if from_fp16 else Anda
    # A tile of 64 tokens takes two warps side by side at least.
    if shape.tokens > 32 and shape.columns % 64 == 0:
        tokens, warps_n = 64, next(n for n in (8, 4, 2) if shape.columns % (32 * n) == 0)
        tilings = [(1, 3), (1, 2)]
    else:
        tokens, warps_n = tile_rows(shape.tokens, (16, 32)), 1
        # Twice the warps where one block a 32 columns leaves multiprocessors idle.
        few_blocks = shape.columns // 32 * math.ceil(shape.tokens / tokens) < _WAVES * card.multiprocessors
        tilings = [*([(8, 4), (8, 3)] if few_blocks else []), (4, 3), (4, 2), (2, 2)]
    kernels = [family(mantissa_bits, zero_points, tokens, warps_n, *tiling, "float16") for tiling in tilings]
    return next((kernel for kernel in kernels if kernel.shared_bytes <= card.shared_bytes), kernels[-1])


def anda_wgmma(
    shape: GemmShape, mantissa_bits: int, *, from_fp16: bool = False, zero_points: bool = False
) -> AndaWgmma:
    """Warpgroup products."""
    family = AndaFp16Wgmma if from_fp16 else AndaWgmma
    return family(mantissa_bits, zero_points, tile_rows(shape.tokens, (16, 32, 64)), output="float16")


def int8(shape: GemmShape, card: Card) -> Int8:
    """INT8 products."""
    tokens = tile_rows(shape.tokens, (16, 64, 128))
    return _split(Int8(tokens=tokens, stages=4 if tokens == 16 else 3), shape, card, 128, 1024)


def fp8(shape: GemmShape, card: Card) -> Fp8:
    """FP8 products; where the compiler emulates them, in tiles that its registers hold."""
    if card.is_hopper:
        tokens = tile_rows(shape.tokens, (16, 32, 64, 128))
        return _split(Fp8Wgmma(tokens=tokens, output="float32"), shape, card, 128, 1024)
    tokens = tile_rows(shape.tokens, (16, 64))
    return _split(Fp8(tokens=tokens, stages=4 if tokens == 16 else 3), shape, card, 128, 1024)


def llm_int8(shape: GemmShape, card: Card) -> LlmInt8:
    """LLM.int8()."""
    tokens = tile_rows(shape.tokens, (16, 64))
    kernel = LlmInt8(tokens=tokens, stages=4 if tokens == 16 else 3, output="float16")
    return _split(kernel, shape, card, 128, 1024)


def bipolar(shape: GemmShape, card: Card, bits_a: int, bits_b: int) -> Bipolar:
    """Bipolar integers."""
    return _split(Bipolar(bits_a, bits_b), shape, card, 32, 8192)


def all_kernels(shape: GemmShape, card: Card, mantissa_bits: Iterable[int]) -> list[Kernel]:
    """Every kernel that exists on a card and takes a shape, tiled for it."""
    choices: list[Kernel] = [Fp16(), Dequantised(), w4a16_warps(shape, card), w4a16_awq(shape, card)]
    choices += [w4a16_wgmma(shape, card), int8(shape, card), fp8(shape, card), llm_int8(shape, card)]
    for bits in mantissa_bits:
        choices += [anda_warps(shape, card, bits, from_fp16=fp16) for fp16 in (False, True)]
        choices += [anda_wgmma(shape, bits, from_fp16=fp16) for fp16 in (False, True)]
    choices += [bipolar(shape, card, *bits) for bits in ((1, 1), (2, 2), (4, 4), (8, 8))]
    return [kernel for kernel in choices if kernel.runs_on(card.architecture) and takes(kernel, shape)]


def takes(kernel: Kernel, shape: GemmShape) -> bool:
    """Whether a kernel can be launched for a shape."""
    try:
        kernel.refuse(shape)
    except InputError:
        return False
    return True


def tile_rows(tokens: int, sizes: tuple[int, ...]) -> int:
    """The smallest tile that holds all tokens, or the largest there is."""
    return next((size for size in sizes if tokens <= size), sizes[-1])


def _split(kernel: _Family, shape: GemmShape, card: Card, columns: int, least: int) -> _Family:
    """Split K until the blocks fill the card, `least` of depth a block or more."""
    rows = kernel.tokens if not isinstance(kernel, Bipolar) else 16
    blocks = math.ceil(shape.columns / columns) * math.ceil(shape.tokens / rows)
    wanted = _WAVES * card.multiprocessors // blocks
    return replace(kernel, splits=max(1, min(wanted, shape.depth // least)))
