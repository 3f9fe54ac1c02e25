"""A card as strict as CUDA, under the name of CuPy; kernels run on the CPU by gpu_ref.host.

    asynchronous   launches and copies wait in their stream until something synchronises: failures show there
    sticky         after an illegal access every call fails, until the process ends
    capture        what synchronises or allocates without a workspace invalidates a capture, which must still be ended
    limits         threads, grid, shared memory: refused at the launch, and not sticky

STRICT_FAULTS, JSON, plants faults by kernel function: illegal, hang, abort, wrong.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpu_ref import sources
from gpu_ref.host.executor import HostError, HostExecutor
from gpu_ref.program import KernelModule, Launch

__version__ = "0 (strict fake)"
_FAULTS: dict[str, list[str]] = json.loads(os.environ.get("STRICT_FAULTS", "{}"))
_MOST_THREADS, _MOST_GRID, _MOST_SHARED = 1024, (2**31 - 1, 65535, 65535), 232448
_SECONDS_A_LAUNCH = 1e-5
_MEMORY = 2**34


class CUDARuntimeError(RuntimeError): ...


class CUDADriverError(RuntimeError): ...


class _Context:
    """Of this process: its sticky error, its streams, and the time its card has worked."""

    dead: str | None = None
    clock = 0.0
    executor: HostExecutor | None = None

    def check(self) -> None:
        if self.dead:
            raise CUDARuntimeError(self.dead)

    def host(self) -> HostExecutor:
        if self.executor is None:
            self.executor = HostExecutor(Path(os.environ["STRICT_KERNELS"]))
        return self.executor


_context = _Context()


class Stream:
    _all: dict[int, Stream] = {}  # noqa: RUF012
    _current: list[Stream] = []  # noqa: RUF012

    def __init__(self, non_blocking: bool = False) -> None:
        _context.check()
        self.ptr = 0x1000 + len(self._all)
        self._all[self.ptr] = self
        self._queue: list[Callable[[], None]] = []
        self.captured: list[Callable[[], None]] | None = None
        self._is_valid = True

    def __enter__(self) -> Stream:
        self._current.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._current.pop()

    def enqueue(self, work: Callable[[], None]) -> None:
        _context.check()
        (self._queue if self.captured is None else self.captured).append(work)

    def invalidate(self) -> None:
        self._is_valid = False

    def synchronize(self) -> None:
        _context.check()
        if self.captured is not None:
            self.invalidate()
            raise CUDARuntimeError(
                "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing"
            )
        queue, self._queue = self._queue, []
        for work in queue:
            try:
                work()
            except HostError as error:
                _context.dead = f"cudaErrorIllegalAddress: an illegal memory access was encountered ({error})"
                raise CUDARuntimeError(_context.dead) from None

    def begin_capture(self, mode: int | None = None) -> None:
        _context.check()
        if self.captured is not None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is capturing already")
        self.captured, self._is_valid = [], True

    def end_capture(self) -> Graph:
        _context.check()
        if self.captured is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not capturing")
        captured, self.captured = self.captured, None
        if not self._is_valid:
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error")
        return Graph(captured)


class Graph:
    """Its first launch runs; the others only take their time."""

    def __init__(self, work: list[Callable[[], None]]) -> None:
        self._work = work

    def launch(self, stream: Stream | None = None) -> None:
        def run() -> None:
            self._work[0]()
            _context.clock += _SECONDS_A_LAUNCH * (len(self._work) - 1)

        (stream or _stream()).enqueue(run)


class Event:
    def __init__(self) -> None:
        self._stream: Stream | None = None
        self.time: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        self._stream, self.time = stream or _stream(), None
        self._stream.enqueue(self._pass)

    def _pass(self) -> None:
        self.time = _context.clock

    def synchronize(self) -> None:
        assert self._stream is not None
        self._stream.synchronize()


def _stream() -> Stream:
    return Stream._current[-1] if Stream._current else _default


def _elapsed(start: Event, end: Event) -> float:
    _context.check()
    if start.time is None or end.time is None:
        raise CUDARuntimeError("cudaErrorNotReady: device not ready")
    return 1e3 * (end.time - start.time)


class Array:
    """Device memory: the host sees it by `get` alone."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.shape, self.dtype, self.nbytes = memory.shape, memory.dtype, memory.nbytes

    @property
    def data(self) -> Pointer:
        return Pointer(self)

    def get(self, stream: Stream | None = None) -> np.ndarray:
        (stream or _stream()).synchronize()
        return self.memory.copy()

    def set(self, content: np.ndarray, stream: Stream | None = None) -> None:
        if not content.flags.c_contiguous or (content.shape, content.dtype) != (self.shape, self.dtype):
            raise ValueError("another shape, type or order")
        if (stream or _stream()).captured is not None:
            (stream or _stream()).synchronize()
        staged = content.copy()
        (stream or _stream()).enqueue(lambda: self.memory.__setitem__(..., staged))

    def __getitem__(self, at: slice) -> Array:
        return Array(self.memory[at])

    def view(self, dtype: Any) -> Array:
        return Array(self.memory.view(dtype))

    def reshape(self, shape: tuple[int, ...]) -> Array:
        return Array(self.memory.reshape(shape))


class Pointer:
    def __init__(self, array: Array) -> None:
        self.array, self.ptr = array, array.memory.ctypes.data

    def copy_from_device_async(self, source: Pointer, size: int, stream: Stream) -> None:
        def run() -> None:
            _context.clock += _SECONDS_A_LAUNCH
            ctypes.memmove(self.ptr, source.ptr, size)

        stream.enqueue(run)


def empty(shape: Any, dtype: Any = "f8") -> Array:
    _context.check()
    made = np.empty(shape, dtype)
    made.view("u1")[...] = 0xA5
    return Array(made)


def asarray(content: np.ndarray) -> Array:
    made = empty(content.shape, content.dtype)
    made.set(np.ascontiguousarray(content))
    return made


class RawModule:
    """Machine code is not run: the file's name says which source it is of."""

    def __init__(self, path: str) -> None:
        _context.check()
        if Path(path).read_bytes()[:4] != b"\x7fELF":
            raise CUDADriverError("CUDA_ERROR_INVALID_IMAGE: device kernel image is invalid")
        source, *defines = Path(path).name.split(".")[0].split(" ")
        pairs = (define.split("=") for define in defines)
        self._module = KernelModule(source, tuple((name, int(value)) for name, value in pairs))

    def get_function(self, name: str) -> Function:
        if name not in sources.functions(sources.text(self._module.source)):
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return Function(self._module, name)


class Function:
    def __init__(self, module: KernelModule, name: str) -> None:
        self._module, self._name, self._shared = module, name, 48 * 1024

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._shared

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        if size > _MOST_SHARED:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        self._shared = size

    def __call__(self, grid: Any, block: Any, arguments: tuple[Any, ...], shared_mem: int) -> None:
        _context.check()
        within = all(1 <= size <= most for size, most in zip(grid, _MOST_GRID, strict=True))
        if not within or not 1 <= block[0] <= _MOST_THREADS or shared_mem > self._shared:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        if not all(isinstance(one, Array | np.int32) for one in arguments):
            raise TypeError("unsupported type")
        if self._name in _FAULTS.get("abort", ()):
            os.abort()
        named = {f"a{i}": one.memory for i, one in enumerate(arguments) if isinstance(one, Array)}
        values = tuple(f"a{i}" if isinstance(one, Array) else int(one) for i, one in enumerate(arguments))
        launch = Launch(self._module, self._name, tuple(grid), block[0], values, shared_mem)
        _stream().enqueue(lambda: self._run(launch, named))

    def _run(self, launch: Launch, arrays: dict[str, np.ndarray]) -> None:
        _context.clock += _SECONDS_A_LAUNCH
        if self._name in _FAULTS.get("illegal", ()):
            raise HostError("planted")
        if self._name in _FAULTS.get("hang", ()):
            time.sleep(3600)
        _context.host()._launch(launch, arrays, 0)
        if self._name in _FAULTS.get("wrong", ()):
            for memory in arrays.values():
                memory.view("u1").reshape(-1)[:2] ^= 0x55


_Gemm = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64, ctypes.c_int, *[ctypes.c_int] * 3, *[ctypes.c_uint64] * 3)


@_Gemm
def _gemm(stream: int, has_workspace: int, m: int, n: int, k: int, a: int, b: int, c: int) -> int:
    """C^T (n, m) = B^T (n, k) A (k, m), as a library that may not allocate while a stream captures."""
    on = Stream._all[stream]
    if _context.dead:
        return 13
    if on.captured is not None and not has_workspace:
        on.invalidate()
        return 14

    def run() -> None:
        _context.clock += _SECONDS_A_LAUNCH
        left, right, result = (
            np.ctypeslib.as_array((ctypes.c_uint16 * (rows * width)).from_address(at))
            .view(np.float16)
            .reshape(rows, width)
            for at, rows, width in ((b, n, k), (a, m, k), (c, n, m))
        )
        result[...] = (left.astype(np.float32) @ right.astype(np.float32).T).astype(np.float16)

    on.enqueue(run)
    return 0


def _properties(_: int) -> dict[str, Any]:
    _context.check()
    sizes = {"multiProcessorCount": 4, "l2CacheSize": 2**15, "totalGlobalMem": _MEMORY}
    return {"name": b"Strict", "major": 9, "minor": 0, **sizes, "sharedMemPerBlockOptin": _MOST_SHARED}


def _memory() -> tuple[int, int]:
    _context.check()
    return _MEMORY, _MEMORY


def get_default_memory_pool() -> Any:
    return types.SimpleNamespace(free_all_blocks=_context.check)


runtime = types.SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=lambda: 1,
    getDeviceProperties=_properties,
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    memGetInfo=_memory,
)
cuda = types.SimpleNamespace(runtime=runtime, Stream=Stream, Event=Event, get_elapsed_time=_elapsed)
_default = Stream()
if "STRICT_CUBLAS" in os.environ:
    ctypes.CDLL(os.environ["STRICT_CUBLAS"]).strict_connect(_gemm)
