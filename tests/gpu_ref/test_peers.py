"""Peers: what their formats stand for, and rows that are made as ours are; PyTorch's arithmetic runs on the CPU."""

from __future__ import annotations

import contextlib
import shutil
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_ref.peers import marlin, timing
from gpu_ref.peers.peer import Made, Peer
from gpu_ref.program import GemmShape
from gpu_ref.record import Ceilings
from gpu_ref.settings import load_settings
from sim.errors import InputError

torch = pytest.importorskip("torch")
SHAPE = GemmShape(20, 256, 256)
CEILINGS = Ceilings(1e12, 1e14)
LAYERS = ("some layer",)


class Event:
    """Events 3 ms apart."""

    def __init__(self, enable_timing: bool) -> None: ...

    def record(self) -> None: ...

    def synchronize(self) -> None: ...

    def elapsed_time(self, _: Event) -> float:
        return 3.0


class Graph:
    replays = 0

    def replay(self) -> None:
        Graph.replays += 1


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.cuda that captures nothing, and operands that lie on the CPU."""
    stream = types.SimpleNamespace(synchronize=lambda: None)
    cuda = types.SimpleNamespace(
        is_available=lambda: True, CUDAGraph=Graph, Stream=lambda: stream, Event=Event,
        stream=lambda _: contextlib.nullcontext(), graph=lambda *_, **__: contextlib.nullcontext(),
        get_device_properties=lambda _: types.SimpleNamespace(L2_cache_size=2**18),
    )  # fmt: skip
    monkeypatch.setattr(torch, "cuda", cuda)


def here(peer: Peer) -> Peer:
    return replace(peer, make=lambda t, shape, _: peer.make(t, shape, "cpu"))


@pytest.mark.parametrize("name", ["torch fp16", "torch _int_mm"])
def test_a_peer_is_checked_and_timed_beside_fp16(name: str, on_the_cpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    half = timing.torch_kernels.fp16
    monkeypatch.setattr("gpu_ref.peers.torch_kernels.fp16", lambda t, shape, _: half(t, shape, "cpu"))
    peer, settings = here(timing.find(name)), load_settings()
    row = timing.row(peer, SHAPE, settings, CEILINGS, LAYERS)
    assert row.error <= row.error_limit
    weight_bytes = SHAPE.columns * SHAPE.depth * (2 if name == "torch fp16" else 1)
    assert row.weight_copies == -(-3 * 2**18 // weight_bytes)
    assert row.samples == settings.timing.samples
    assert row.speedup_over_fp16 is not None
    assert row.limited_by == "memory"


def test_a_peer_that_is_off_is_not_timed(on_the_cpu: None) -> None:
    fp16 = timing.find("torch fp16")

    def wrong(t: Any, shape: GemmShape, _: str) -> Made:
        return replace(fp16.make(t, shape, "cpu"), call=lambda a, w: 1.01 * (a @ w[0].t()))

    peer = Peer("off", "torch", "f16", fp16.limit, (1, 1), wrong)
    with pytest.raises(InputError, match="differs from the product"):
        timing.row(peer, SHAPE, load_settings(), CEILINGS, LAYERS)


def test_integer_products_of_few_rows_are_padded() -> None:
    made = timing.find("torch _int_mm").make(torch, GemmShape(1, 64, 64), "cpu")
    assert made.left.shape[0] == 17
    assert timing.error(torch, made) == 0


def test_four_bit_weights_of_pytorch_stand_for_what_their_codes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    # The packing itself is the card's; what it is given is two codes a byte, the first one above.
    monkeypatch.setattr(torch, "_convert_weight_to_int4pack", lambda packed, _: packed)
    made = timing.find("torch _weight_int4pack_mm").make(torch, GemmShape(2, 64, 128), "cpu")
    packed, scales = made.weights
    codes = torch.stack([packed >> 4, packed & 15], dim=-1).reshape(64, 128).double()
    assert torch.equal(made.weight_values, (codes - 8) * scales[0, :, :1].double() + scales[0, :, 1:].double())


def test_marlins_order_is_that_of_its_source() -> None:
    # marlin/__init__.py, _get_perms, step by step
    order: list[int] = []
    for i in range(32):
        first = [
            16 * row + i // 4 + 8 * block
            for block in (0, 1)
            for row in (2 * (i % 4), 2 * (i % 4) + 1, 2 * (i % 4 + 4), 2 * (i % 4 + 4) + 1)
        ]
        for j in range(4):
            order += [place + 256 * j for place in first]
    interleaved = np.array(order).reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]].ravel()
    codes = np.random.default_rng(1).integers(0, 16, (128, 256), np.uint8)
    tiles = codes.reshape(8, 16, 16, 16).transpose(0, 2, 1, 3).reshape(8, -1)
    ordered = tiles.reshape(-1, 1024)[:, interleaved].reshape(tiles.shape)
    expected = sum(ordered[:, i::8].astype(np.uint32) << 4 * i for i in range(8))
    assert np.array_equal(marlin.pack(codes).view(np.uint32), expected)
    scales = np.arange(64, dtype=np.float16)[np.newaxis]
    assert np.array_equal(marlin.pack_scales(scales)[0], [i + 8 * j for i in range(8) for j in range(8)])


def test_marlin_and_gemlite_say_what_is_missing() -> None:
    with pytest.raises(InputError, match="`gpu bundle --marlin SOURCE` compiles it"):
        timing.find("marlin").make(torch, SHAPE, "cpu")
    with pytest.raises(InputError, match="GemLite is not installed"):
        timing.find("gemlite").make(torch, SHAPE, "cpu")


def test_marlin_without_its_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without marlin_cuda_kernel\.cu under"):
        marlin.build(tmp_path, tmp_path / "lib.so", ["sm_90a"])
    (tmp_path / "marlin_cuda_kernel.cu").write_text("this is no kernel")
    if shutil.which("nvcc"):
        with pytest.raises(InputError, match="nvcc refused MARLIN"):
            marlin.build(tmp_path, tmp_path / "lib.so", ["sm_90a"])
