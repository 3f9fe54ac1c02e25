"""Programs on a CPU: kernels compiled by g++ against the headers beside this file.

Every buffer ends at an unreadable page, so an access past it is an error; blocks run one after the other, their threads
in an order of choice. 16-byte accesses to shared memory are counted, in phases of eight lanes and in bank cycles.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_ref import sources
from gpu_ref.host.guarded import guarded
from gpu_ref.program import Array, CopyBuffer, Launch, Matmul, Module, Program
from sim.errors import InputError

_HEADERS = Path(__file__).parent
_FLAGS = ("-std=c++20", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-Wno-psabi", "-U_FORTIFY_SOURCE")


class HostError(Exception):
    """What the host found wrong with a kernel: deadlock, divergence, access out of bounds, missing fence."""


@dataclass(frozen=True)
class Counts:
    """Accesses of one kind: phases of eight lanes, and the cycles they take with bank conflicts."""

    phases: int
    cycles: int


@dataclass(frozen=True)
class Traffic:
    """16-byte accesses to shared memory by kind."""

    load_matrices: Counts
    store_shared16: Counts
    load_shared16: Counts


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
        self._folder, self._text = folder, text
        self._libraries: dict[Module, ctypes.CDLL] = {}

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

    def traffic(self, module: Module) -> Traffic:
        """Accesses since the last call, of all launches of a module."""
        counts = (ctypes.c_long * 6)()
        self._library(module).host_counts(counts)
        return Traffic(*(Counts(counts[2 * kind], counts[2 * kind + 1]) for kind in range(3)))

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

    def _library(self, module: Module) -> ctypes.CDLL:
        if module not in self._libraries:
            self._libraries[module] = ctypes.CDLL(str(self._compiled(module)))
        return self._libraries[module]

    def _compiled(self, module: Module) -> Path:
        body = self._text(module.source)
        entries = "\n".join(f"HOST_ENTRY({name})" for name in sources.functions(body))
        headers = "".join(path.read_text(encoding="utf-8") for path in sorted(_HEADERS.glob("*.hpp")))
        key = hashlib.sha256(f"{module}{body}{headers}{_FLAGS}".encode()).hexdigest()[:24]
        library = self._folder / f"{module.source}-{key}.so"
        if library.exists():
            return library
        compiler = shutil.which("g++")
        if compiler is None:
            raise InputError("g++ was not found", facts={"needed": "to run kernels on the CPU"})
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = library.with_suffix(f".{os.getpid()}")
        unit = partial.with_suffix(f".{os.getpid()}.cpp")
        unit.write_text(f"{body}\n{entries}\n", encoding="utf-8")
        defines = [f"-D{name}={value}" for name, value in module.defines]
        command = [compiler, *_FLAGS, *defines, f"-I{_HEADERS.parent}", str(unit), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{module}: g++ refused it\n{done.stderr}")
        partial.rename(library)
        unit.unlink()
        return library
