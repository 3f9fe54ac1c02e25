"""Programs on a CPU: kernels compiled by g++ against the headers beside this file.

Every buffer ends at an unreadable page, so an access past it is an error; blocks run one after the other, their threads
in an order of choice. Accesses to shared memory are counted, in phases and in the cycles that their banks take.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_ref import sources
from gpu_ref.host.compiler import HostCompiler
from gpu_ref.host.guarded import guarded
from gpu_ref.program import Array, CopyBuffer, KernelModule, Launch, Matmul, Program


class HostError(Exception):
    """What the host found wrong with a kernel: deadlock, divergence, access out of bounds, missing fence."""


@dataclass(frozen=True)
class Counts:
    """Accesses of one kind: phases of the lanes that go together, and the cycles they take with bank conflicts."""

    phases: int
    cycles: int


@dataclass(frozen=True)
class SharedMemoryAccesses:
    """Accesses to shared memory by bytes a lane: 8 lanes a phase for 16, 16 for 8, a warp for up to 4."""

    load_matrices: Counts
    store_shared16: Counts
    load_shared16: Counts
    store_shared8: Counts
    load_shared8: Counts
    store_shared4: Counts
    load_shared4: Counts


class HostExecutor:
    """Compiles modules into `folder` (shared between processes) and runs programs.

    Parameters
    ----------
    folder
        Where compiled modules are kept, named by the text they come from.
    text
        Source of a kernel by name; tests plant faults here.
    """

    def __init__(self, folder: Path, text: Callable[[str], str] = sources.text) -> None:
        self._compiler, self._text = HostCompiler(folder), text
        self._libraries: dict[KernelModule, ctypes.CDLL] = {}

    def run(self, program: Program, order: int = 0) -> dict[str, Array]:
        """All results after the launches; `order` 0 ascending, 1 descending, 2 and up shuffled.

        Raises
        ------
        HostError
            For what a correct kernel does not do.
        """
        results = {name: result.poisoned() for name, result in program.results.items()}
        with guarded({**program.arrays(), **results}) as arrays:
            for launch in program.launches:
                if isinstance(launch, Launch):
                    self._launch(launch, arrays, order)
                elif isinstance(launch, Matmul):
                    left, right = (arrays[name].astype(np.float32) for name in (launch.left, launch.right))
                    arrays[launch.result][:] = left @ right.T
                else:
                    assert isinstance(launch, CopyBuffer)
                    arrays[launch.result][:] = arrays[launch.source]
            return {name: arrays[name].copy() for name in program.results}

    def traffic(self, module: KernelModule) -> SharedMemoryAccesses:
        """Accesses of the last launch from a module."""
        counts = (ctypes.c_long * 14)()
        self._library(module).host_counts(counts)
        return SharedMemoryAccesses(*(Counts(counts[2 * kind], counts[2 * kind + 1]) for kind in range(7)))

    def _launch(self, launch: Launch, arrays: dict[str, Array], order: int) -> None:
        library = self._library(launch.module)
        values = [
            ctypes.c_int(argument) if isinstance(argument, int) else ctypes.c_void_p(arrays[argument].ctypes.data)
            for argument in launch.arguments
        ]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        grid = (ctypes.c_uint * 3)(*launch.grid)
        entry = getattr(library, f"launch_{launch.function}")
        if entry(pointers, len(values), grid, launch.threads, launch.shared_bytes, order):
            library.host_error.restype = ctypes.c_char_p
            raise HostError(f"{launch.function}: {library.host_error().decode()}")

    def _library(self, module: KernelModule) -> ctypes.CDLL:
        if module not in self._libraries:
            self._libraries[module] = ctypes.CDLL(str(self._compiler.library(module, self._text(module.source))))
        return self._libraries[module]
