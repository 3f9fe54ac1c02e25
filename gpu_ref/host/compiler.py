"""g++ for kernel sources; what they include of the host is compiled once, ahead."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from gpu_ref import sources
from gpu_ref.program import KernelModule
from sim.errors import InputError

_HEADERS = Path(__file__).parent
_ARITHMETIC = ("-ffp-contract=off",)
_PRIVATE = ("-fvisibility=hidden", "-fno-gnu-unique")  # every library keeps its own state of the host
_FLAGS = ("-std=c++20", "-O1", "-fPIC", *_ARITHMETIC, *_PRIVATE, "-Wno-psabi", "-U_FORTIFY_SOURCE")


class HostCompiler:
    """Compiles into `folder`; processes share it, as files are named by what they come from and renamed into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def library(self, module: KernelModule, body: str) -> Path:
        """The shared library of a module whose source is `body`."""
        key = _key(str(module), body, self._headers.name)
        library = self._folder / f"{module.source}-{key}.so"
        if not library.exists():
            entries = "\n".join(f"HOST_ENTRY({name})" for name in sources.functions(body))
            unit = self._folder / f"{module.source}-{key}.{os.getpid()}.cpp"
            unit.write_text(f"{body}\n{entries}\n", encoding="utf-8")
            defines = [f"-D{name}={value}" for name, value in module.defines]
            headers = [f"-I{self._headers}", "-include", "host/cuda.hpp"]
            _run([*defines, *headers, "-shared", str(unit)], library)
            unit.unlink()
        return library

    @cached_property
    def _headers(self) -> Path:
        """A folder that holds the headers as host/*.hpp, precompiled."""
        texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(_HEADERS.glob("*.hpp"))}
        final = self._folder / f"headers-{_key(*texts, *texts.values(), *_FLAGS)}"
        if not final.exists():
            making = self._folder / f"{final.name}.{os.getpid()}"
            (making / "host").mkdir(parents=True)
            for name, text in texts.items():
                (making / "host" / name).write_text(text, encoding="utf-8")
            header = making / "host" / "cuda.hpp"
            _run(["-w", "-x", "c++-header", str(header)], header.with_suffix(".hpp.gch"))
            try:
                making.rename(final)
            except OSError:  # another process was first
                shutil.rmtree(making)
        return final


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _run(arguments: list[str], output: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        raise InputError("g++ was not found", facts={"needed": "to run kernels on the CPU"})
    partial = output.with_name(f"{output.name}.{os.getpid()}")
    command = [compiler, *_FLAGS, *arguments, "-o", str(partial)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"g++ refused {output.name}\n{done.stderr}")
    partial.rename(output)
