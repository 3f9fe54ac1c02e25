"""The CuPy layer on a card as strict as CUDA: capture, sticky errors, limits, failures that show late."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pretended import CARDS
from rehearsal import compiled_for_nothing

from gpu_ref import fills, nvrtc
from gpu_ref.cupy_card import CupyDevice, open_card
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.w4a16 import W4a16
from gpu_ref.program import CopyBuffer, GemmShape, Launch, OutputArray, Program
from sim.errors import InputError

SHAPE = GemmShape(3, 64, 256)
Strict = Callable[..., Any]


def opened(*kernels: Kernel) -> CupyDevice:
    compiled_for_nothing([*(module for kernel in kernels for module in kernel.modules), *fills.modules()])
    return open_card()


def test_the_librarys_product_is_captured_in_a_graph(strict: Strict) -> None:
    strict()
    device = opened()
    prepared = device.prepare(Fp16().timed(SHAPE), copies=2, runs=4)
    assert prepared.is_graph
    # The fake's launches take 10 us each
    assert prepared.sample() == pytest.approx(1e-5)
    [case] = Fp16().cases(np.random.default_rng(1), SHAPE)
    assert case.error(device.prepare(Fp16().program(SHAPE, case.buffers)).run()["c"]) <= case.limit


def test_what_cannot_be_captured_ends_its_capture_and_is_launched_one_by_one(strict: Strict) -> None:
    strict()
    device = opened(W4a16())
    # Setting the stream again takes the workspace away: the library has to allocate, and CUDA invalidates the capture.
    device.cublas._call("cublasSetStream_v2", device.cublas._handle, ctypes.c_void_p(device.stream.ptr))
    prepared = device.prepare(Fp16().timed(SHAPE), copies=2, runs=4)
    assert not prepared.is_graph
    assert prepared.sample() == pytest.approx(1e-5)
    assert device.prepare(W4a16().timed(SHAPE), runs=4).is_graph


def test_an_illegal_access_shows_late_and_stays(strict: Strict) -> None:
    strict(illegal=["anda"])
    device = opened(Anda(7), W4a16())
    assert device.answers()
    with pytest.raises(RuntimeError, match="illegal memory access"):
        device.prepare(Anda(7).timed(SHAPE))
    assert not device.answers()
    with pytest.raises(RuntimeError, match="illegal memory access"):
        device.prepare(W4a16().timed(SHAPE))


@pytest.mark.parametrize(
    "change",
    [{"threads": 2048}, {"grid": (1, 70000, 1)}, {"grid": (1, 1, 70000)}, {"grid": (0, 1, 1)}],
    ids=["threads", "grid y", "grid z", "no block"],
)
def test_a_launch_beyond_the_limits_is_refused_and_nothing_else_suffers(strict: Strict, change: dict[str, Any]) -> None:
    strict()
    device, kernel = opened(W4a16()), W4a16()
    program = kernel.timed(SHAPE)
    wrong = replace(program, launches=(replace(program.launches[0], **change),))
    with pytest.raises(RuntimeError, match="INVALID_VALUE"):
        device.prepare(wrong)
    assert device.answers()
    assert device.prepare(program).sample() > 0


def test_a_kernel_is_launched_with_the_shared_memory_it_wants_and_computes(strict: Strict) -> None:
    strict()
    kernel = W4a16(splits=2)
    shape = GemmShape(3, 64, 1024)
    device = opened(kernel)
    launch = kernel.launches(shape)[0]
    assert isinstance(launch, Launch)
    assert launch.shared_bytes > 48 * 1024
    case = list(kernel.cases(np.random.default_rng(1), shape))[1]
    prepared = device.prepare(kernel.program(shape, case.buffers))
    assert case.error(prepared.run()["c"]) <= case.limit


def test_a_copy_arrives(strict: Strict) -> None:
    strict()
    program = Program((CopyBuffer("a", "c"),), {"a": np.arange(8, dtype=np.uint8)}, {"c": OutputArray((8,), "u1")})
    assert np.array_equal(open_card().prepare(program).run()["c"], np.arange(8))


def test_too_little_memory_is_told(strict: Strict) -> None:
    strict()
    program = Fp16().timed(GemmShape(2048, 2**17, 2**17))
    with pytest.raises(InputError, match="too little memory on the card") as caught:
        open_card().prepare(program)
    assert caught.value.facts == {"needed": f"{program.memory_bytes} bytes", "available": f"{2**34} bytes"}


def test_no_machine_code_and_no_compiler_are_told(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    strict()
    monkeypatch.setattr("gpu_ref.nvrtc.is_installed", lambda: False)
    compiled_for_nothing(W4a16().modules, "sm_80")
    with pytest.raises(InputError, match="no machine code for this card") as caught:
        open_card().prepare(W4a16().timed(SHAPE))
    assert caught.value.facts["there is"] == "sm_80"


def test_no_driver_and_no_card_are_told(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    strict()
    import cupy

    def missing() -> int:
        raise cupy.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", missing)
    with pytest.raises(InputError, match="no CUDA driver answers"):
        open_card()
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(InputError, match="no CUDA card"):
        open_card()


def test_cards_of_the_tests_are_the_architectures_that_kernels_name() -> None:
    assert {card.architecture for card in CARDS.values()} <= set(nvrtc.ARCHITECTURES)
