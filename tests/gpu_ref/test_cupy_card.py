"""The CuPy layer against a module that pretends to be CuPy: what is called in which order, with which arguments."""

from __future__ import annotations

import sys
import types
from typing import Any, ClassVar

import numpy as np
import pytest
from pretended import CARDS

from gpu_ref import nvrtc
from gpu_ref.cupy_card import CupyDevice, open_card
from gpu_ref.fills import fill
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.w4a16 import W4a16
from gpu_ref.program import CopyBuffer, Filled, Program, Result, Shape
from sim.errors import InputError


class Pointer:
    def __init__(self, array: np.ndarray) -> None:
        self.array, self.ptr = array, array.ctypes.data

    def copy_from_device_async(self, source: Pointer, size: int, stream: Any) -> None:
        self.array[...] = source.array


class DeviceArray(np.ndarray):
    """An array with what CuPy's arrays have besides."""

    @property
    def data(self) -> Any:
        return Pointer(self)

    def get(self, stream: Any = None) -> np.ndarray:
        return np.array(self)

    def set(self, content: np.ndarray, stream: Any = None) -> None:
        self[...] = content


class Stream:
    def __init__(self, log: list[Any]) -> None:
        self.log, self.capturing = log, False

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None: ...

    def synchronize(self) -> None: ...

    def begin_capture(self) -> None:
        self.capturing = True

    def end_capture(self) -> Any:
        self.capturing = False
        return types.SimpleNamespace(launch=lambda stream: self.log.append("graph"))


class RawModule:
    def __init__(self, path: str) -> None:
        self.path = path

    def get_function(self, name: str) -> Any:
        return Function(name)


class Function:
    log: ClassVar[list[Any]] = []

    def __init__(self, name: str) -> None:
        self.name = name
        self.max_dynamic_shared_size_bytes = 48 * 1024

    def __call__(self, grid: Any, block: Any, arguments: Any, shared_mem: int) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        assert all(isinstance(one, DeviceArray | np.int32) for one in arguments)
        self.log.append((self.name, grid, block, [a for a in arguments if isinstance(a, np.int32)]))


def properties() -> dict[str, Any]:
    sizes = {
        "multiProcessorCount": 132,
        "l2CacheSize": 2**16,
        "totalGlobalMem": 2**34,
        "sharedMemPerBlockOptin": 232448,
    }
    return {"name": b"NVIDIA H200", "major": 9, "minor": 0, **sizes}


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    log: ClassVar[list[Any]] = []
    Function.log = log
    runtime = types.SimpleNamespace(
        CUDARuntimeError=type("CUDARuntimeError", (RuntimeError,), {}),
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda _: properties(),
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 13000,
        memGetInfo=lambda: (2**30, 2**34),
    )

    def multiply(*a: Any) -> None:
        # handle, transposed, plain, m, n, k, alpha, A, type, lda, B, type, ldb, beta, C, type, ldc, compute, algorithm
        assert len(a) == 19
        assert (a[9], a[12], a[16]) == (a[5], a[5], a[3])
        log.append(("gemm", a[3], a[4], a[5]))

    blas = types.SimpleNamespace(
        CUBLAS_OP_T=1, CUBLAS_OP_N=0, CUBLAS_COMPUTE_32F=68, CUBLAS_GEMM_DEFAULT=-1, CUBLAS_POINTER_MODE_HOST=0,
        gemmEx=multiply, setPointerMode=lambda *_: None,
    )  # fmt: skip
    events = types.SimpleNamespace(record=lambda _: None, synchronize=lambda: None)
    cuda = types.SimpleNamespace(
        runtime=runtime,
        Stream=lambda non_blocking: Stream(log),
        Event=lambda: events,
        get_elapsed_time=lambda start, end: 3.0,  # milliseconds
        device=types.SimpleNamespace(get_cublas_handle=lambda: 7),
    )
    module = types.SimpleNamespace(
        __version__="0", cuda=cuda, random=np.random, where=np.where, log=log, RawModule=RawModule,
        asarray=lambda array: np.array(array).view(DeviceArray),
        get_default_memory_pool=lambda: types.SimpleNamespace(free_all_blocks=lambda: None),
    )  # fmt: skip
    monkeypatch.setattr("gpu_ref.cupy_card.fill", lambda xp, item: fill(np, item).view(DeviceArray))
    monkeypatch.setitem(sys.modules, "cupy", module)
    for name in ("cupy_backends", "cupy_backends.cuda"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs", types.SimpleNamespace(cublas=blas))
    return module


def test_a_product_of_the_library_counts_columns_first(cupy: Any) -> None:
    device = open_card()
    assert isinstance(device, CupyDevice)
    assert device.card.architecture == "sm_90a"
    prepared = device.prepare(Fp16().timed(Shape(3, 128, 256)), copies=2, runs=4)
    assert cupy.log == [("gemm", 128, 3, 256)] * (3 + 4) + ["graph"]  # warm-up, capture, first replay
    cupy.log.clear()
    assert prepared.sample() == pytest.approx(3e-3 / 4)
    assert cupy.log == ["graph"]
    prepared.release()


def test_a_copy_arrives(cupy: Any) -> None:
    program = Program((CopyBuffer("a", "c"),), {"a": np.arange(8, dtype=np.uint8)}, {"c": Result((8,), "u1")})
    assert np.array_equal(open_card().prepare(program).run()["c"], np.arange(8))


@pytest.mark.skipif(not nvrtc.is_installed(), reason="the package nvidia-cuda-nvrtc is not installed")
def test_a_kernel_is_launched_with_32_bit_sizes_and_the_shared_memory_it_wants(cupy: Any) -> None:
    shape = Shape(3, 128, 2048)
    kernel = W4a16(splits=2)
    open_card().prepare(kernel.timed(shape))
    product, finish = kernel.launches(shape)
    assert product.shared_bytes > 48 * 1024
    assert cupy.log[:2] == [
        ("w4a16", product.grid, (product.threads,), [3, 128, 2048]),
        ("finish_f32", finish.grid, (256,), [3, 128, 2]),
    ]


def test_too_little_memory_is_told(cupy: Any) -> None:
    program = Fp16().timed(Shape(2048, 2**15, 2**15))
    with pytest.raises(InputError, match="too little memory on the card") as caught:
        open_card().prepare(program)
    assert caught.value.facts == {"needed": f"{program.memory_bytes} bytes", "available": f"{2**30} bytes"}


def test_no_driver_and_no_card_are_told(cupy: Any) -> None:
    def missing() -> int:
        raise cupy.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver")

    cupy.cuda.runtime.getDeviceCount = missing
    with pytest.raises(InputError, match="no CUDA driver answers"):
        open_card()
    cupy.cuda.runtime.getDeviceCount = lambda: 0
    with pytest.raises(InputError, match="no CUDA card"):
        open_card()


@pytest.mark.parametrize("kind", ["bits", "bytes", "e4m3", "exponents", "scales", "normal", "outliers"])
def test_timing_buffers_hold_values_that_are_valid(kind: Any) -> None:
    dtype = {"scales": "u2", "normal": "f2", "outliers": "f2", "bits": "u4"}.get(kind, "u1")
    array = fill(np, Filled((64, 128), dtype, kind))
    assert array.shape == (64, 128)
    assert array.dtype == dtype
    assert len(np.unique(array)) > 10
    if kind == "e4m3":
        assert not (array & 127 == 127).any()
    if kind == "exponents":
        assert array.min() >= 1
        assert array.max() <= 30
    if kind == "scales":
        assert np.isfinite(array.view(np.float16)).all()
        assert (array.view(np.float16) > 0).all()
    if kind == "outliers":
        assert 1 <= (np.abs(array) >= 6).any(axis=0).sum() <= 10


def test_cards_of_the_tests_are_the_architectures_that_kernels_name() -> None:
    assert {card.architecture for card in CARDS.values()} <= set(nvrtc.ARCHITECTURES)
