"""A real card through CuPy. Kernels are compiled as the tests compile them, and loaded as machine code."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np

from gpu_ref import nvrtc
from gpu_ref.card import Card, CardState
from gpu_ref.cubins import Cubins
from gpu_ref.cublas import WORKSPACE_BYTES, Cublas
from gpu_ref.fills import fill
from gpu_ref.nvml import Monitor
from gpu_ref.program import Array, CopyBuffer, Filled, KernelModule, Launch, Matmul, Program
from sim.errors import InputError

_WARM_UP_RUNS = 3


def open_card() -> CupyDevice:
    """The first card of this machine.

    Raises
    ------
    InputError
        Where CuPy or the driver is missing, or the card is older than sm_80.
    """
    try:
        import cupy
    except ImportError as error:
        facts = {"needed": "the Python package cupy-cuda13x, an NVIDIA driver and a card"}
        raise InputError(f"CuPy cannot be loaded: {str(error).splitlines()[0]}", facts=facts) from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        facts = {"needed": "an NVIDIA driver for CUDA 13 and a card of sm_80 or newer"}
        raise InputError(f"no CUDA driver answers: {error}", facts=facts) from None
    if count == 0:
        raise InputError("this machine has no CUDA card", facts={"needed": "a card of sm_80 or newer"})
    return CupyDevice(cupy, Cubins.of_this_machine())


def read_card(properties: dict[str, Any]) -> Card:
    """A card from the properties that the CUDA runtime reports.

    Raises
    ------
    InputError
        For a card older than sm_80.
    """
    name, major, minor = properties["name"].decode(), properties["major"], properties["minor"]
    if major < 8:
        raise InputError(f"{name} is sm_{major}{minor}", facts={"needed": "a card of sm_80 or newer"})
    return Card(
        name=name,
        architecture=f"sm_{major}{minor}" + ("a" if major == 9 else ""),
        multiprocessors=properties["multiProcessorCount"],
        l2_bytes=properties["l2CacheSize"],
        memory_bytes=properties["totalGlobalMem"],
        shared_bytes=properties["sharedMemPerBlockOptin"],
    )


class CupyDevice:
    """The card that CuPy sees first."""

    def __init__(self, cupy: Any, cubins: Cubins) -> None:
        self.cupy, self._cubins = cupy, cubins
        self.card = read_card(cupy.cuda.runtime.getDeviceProperties(0))
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self._monitor = Monitor()
        self._modules: dict[KernelModule, Any] = {}
        self._seed = 0

    @cached_property
    def cublas(self) -> Cublas:
        """The library on this device's stream."""
        self._workspace = self.cupy.empty(WORKSPACE_BYTES, "u1")
        return Cublas(self.stream.ptr, self._workspace.data.ptr)

    @property
    def versions(self) -> dict[str, str]:
        runtime = self.cupy.cuda.runtime
        return {
            "cuda driver": _dotted(runtime.driverGetVersion()),
            "cuda runtime": _dotted(runtime.runtimeGetVersion()),
            "nvrtc": _or_reason(nvrtc.version),
            "cublas": _or_reason(lambda: self.cublas.version()),
            "cupy": self.cupy.__version__,
            "driver": self._monitor.driver_version() or "unknown",
        }

    def prepare(self, program: Program, copies: int = 1, runs: int = 1) -> PreparedOnCard:
        needed = program.memory_bytes + (copies - 1) * program.streamed_bytes
        if needed > self.free_bytes():
            facts = {"needed": f"{needed} bytes", "available": f"{self.free_bytes()} bytes"}
            raise InputError("too little memory on the card", facts=facts)
        return PreparedOnCard(self, program, copies, runs)

    def state(self) -> CardState:
        return self._monitor.state()

    def energy_joules(self) -> float | None:
        return self._monitor.energy_joules()

    def free_bytes(self) -> int:
        self.cupy.get_default_memory_pool().free_all_blocks()
        return int(self.cupy.cuda.runtime.memGetInfo()[0])

    def answers(self) -> bool:
        """Whether the card still works: after an illegal access nothing does, until the process ends."""
        try:
            with self.stream:
                return int(self.cupy.asarray(np.ones(1, np.int32)).get(stream=self.stream)[0]) == 1
        except Exception:  # whatever the runtime raises then
            return False

    def filled(self, item: Filled) -> Any:
        """A new array of random content, other than every one before."""
        self._seed += 1
        room = self.cupy.empty(-(-item.nbytes // 4) * 4, "u1")
        launch = fill(item, self._seed)
        arguments = (room, *(np.int32(value) for value in launch.arguments[1:]))
        self.function(launch)(launch.grid, (launch.threads,), arguments, shared_mem=0)
        return room[: item.nbytes].view(item.dtype).reshape(item.shape)

    def function(self, launch: Launch) -> Any:
        """The loaded function of a launch, allowed the shared memory it wants."""
        if launch.module not in self._modules:
            path = self._cubins.path(launch.module, self.card.architecture)
            self._modules[launch.module] = self.cupy.RawModule(path=str(path))
        function = self._modules[launch.module].get_function(launch.function)
        if launch.shared_bytes > self.card.shared_bytes:
            facts = {"needed": f"{launch.shared_bytes} bytes", "available": f"{self.card.shared_bytes} bytes"}
            raise InputError(f"{launch.module}: too little shared memory a block", facts=facts)
        if launch.shared_bytes > 48 * 1024:
            function.max_dynamic_shared_size_bytes = launch.shared_bytes
        return function


class PreparedOnCard:
    """Buffers on the card, and a graph of `runs` runs that rotates through the copies."""

    def __init__(self, device: CupyDevice, program: Program, copies: int, runs: int) -> None:
        self._device, self._program, self._runs = device, program, runs
        cupy = device.cupy
        with device.stream:
            self._copies = [
                {
                    name: self._upload(item)
                    for name, item in program.buffers.items()
                    if copy == 0 or name in program.streamed
                }
                for copy in range(copies)
            ]
            self._results = {name: cupy.asarray(result.poisoned()) for name, result in program.results.items()}
            self._functions = {step: device.function(step) for step in program.launches if isinstance(step, Launch)}
            for copy in range(max(copies, _WARM_UP_RUNS)):
                self._enqueue(copy % copies)
            device.stream.synchronize()
            self._graph = self._captured() if runs > 1 else None

    @property
    def is_graph(self) -> bool:
        return self._graph is not None

    def run(self) -> dict[str, Array]:
        with self._device.stream:
            for name, result in self._program.results.items():
                self._results[name].set(result.poisoned(), stream=self._device.stream)
            self._enqueue(0)
            self._device.stream.synchronize()
            return {name: array.get(stream=self._device.stream) for name, array in self._results.items()}

    def sample(self) -> float:
        cupy = self._device.cupy
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        with self._device.stream:
            start.record(self._device.stream)
            self._batch()
            end.record(self._device.stream)
            end.synchronize()
        return float(cupy.cuda.get_elapsed_time(start, end)) * 1e-3 / self._runs

    def energy(self, seconds: float) -> float | None:
        before = self._device.energy_joules()
        if before is None:
            return None
        batches = max(1, math.ceil(seconds / (self.sample() * self._runs)))
        before = self._device.energy_joules()
        with self._device.stream:
            for _ in range(batches):
                self._batch()
            self._device.stream.synchronize()
        after = self._device.energy_joules()
        if before is None or after is None or after <= before:
            return None
        return (after - before) / (batches * self._runs)

    def release(self) -> None:
        self._graph = None
        self._copies.clear()
        self._results.clear()
        self._device.cupy.get_default_memory_pool().free_all_blocks()

    def _batch(self) -> None:
        if self._graph is not None:
            self._graph.launch(self._device.stream)
        else:
            for run in range(self._runs):
                self._enqueue(run % len(self._copies))

    def _captured(self) -> Any | None:
        """A graph of the batch; None where a step cannot be captured: the batch is then enqueued launch by launch."""
        stream = self._device.stream
        stream.begin_capture()
        try:
            for run in range(self._runs):
                self._enqueue(run % len(self._copies))
        except RuntimeError:
            with suppress(RuntimeError):  # the capture is invalid by now, but must end
                stream.end_capture()
            return None
        graph = stream.end_capture()
        graph.launch(stream)
        stream.synchronize()
        return graph

    def _upload(self, item: Array | Filled) -> Any:
        return (
            self._device.filled(item)
            if isinstance(item, Filled)
            else self._device.cupy.asarray(np.ascontiguousarray(item))
        )

    def _enqueue(self, copy: int) -> None:
        arrays = {**self._copies[0], **self._copies[copy], **self._results}
        for step in self._program.launches:
            if isinstance(step, Launch):
                arguments = tuple(arrays[a] if isinstance(a, str) else np.int32(a) for a in step.arguments)
                self._functions[step](step.grid, (step.threads,), arguments, shared_mem=step.shared_bytes)
            elif isinstance(step, Matmul):
                self._multiply(arrays[step.left], arrays[step.right], arrays[step.result])
            else:
                assert isinstance(step, CopyBuffer)
                source, result = arrays[step.source], arrays[step.result]
                result.data.copy_from_device_async(source.data, source.nbytes, self._device.stream)

    def _multiply(self, left: Any, right: Any, result: Any) -> None:
        tokens, depth = left.shape
        self._device.cublas.multiply(left.data.ptr, right.data.ptr, result.data.ptr, tokens, right.shape[0], depth)


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _or_reason(version: Callable[[], str]) -> str:
    try:
        return version()
    except (InputError, RuntimeError) as error:
        return f"none: {error}"
