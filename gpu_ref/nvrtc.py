"""NVRTC through ctypes: kernels compiled for a named architecture without a card and without CUDA headers."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gpu_ref import sources
from gpu_ref.program import KernelModule
from sim.errors import InputError

ARCHITECTURES = ("sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_120")
OPTIONS = ("--std=c++17", "--ftz=true")  # CuPy always flushes subnormals of FP32; no kernel makes any


@dataclass(frozen=True)
class Usage:
    """What one kernel function takes of a multiprocessor, as the assembler reports it."""

    registers: int
    spilled_bytes: int
    stack_bytes: int


@dataclass(frozen=True)
class Compiled:
    """Machine code of a module, and the usage of each of its functions."""

    cubin: bytes
    usage: dict[str, Usage]


def compile_module(module: KernelModule, architecture: str) -> Compiled:
    """Compile for exactly one architecture: what only becomes PTX hides errors of inline assembly.

    Raises
    ------
    InputError
        Where NVRTC is not installed.
    RuntimeError
        With the compiler's log, for a source that does not compile.
    """
    library = _library()
    options = [f"--gpu-architecture={architecture}", *OPTIONS, "--ptxas-options=-v"]
    options += [f"-D{name}={value}" for name, value in module.defines]
    program = ctypes.c_void_p()
    text, name = sources.text(module.source).encode(), f"{module.source}.cu".encode()
    library.nvrtcCreateProgram(ctypes.byref(program), text, name, 0, None, None)
    try:
        encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        failed = library.nvrtcCompileProgram(program, len(options), encoded)
        log = _read(library, program, "ProgramLog").decode(errors="replace")
        if failed:
            raise RuntimeError(f"{module} for {architecture}: NVRTC refused it\n{log}")
        return Compiled(_read(library, program, "CUBIN"), _usage(log))
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def version() -> str:
    """NVRTC's version, such as 13.0."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def is_installed() -> bool:
    """Whether the library is found."""
    return bool(_candidates())


def _read(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


def _usage(log: str) -> dict[str, Usage]:
    pattern = (
        r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
        r".*?Used (\d+) registers"
    )
    found = re.findall(pattern, log, re.DOTALL)
    return {name: Usage(int(regs), int(stores) + int(loads), int(stack)) for name, stack, stores, loads, regs in found}


def _candidates() -> list[Path]:
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec else None
    return sorted((path for folder in folders or () for path in Path(folder).glob("*/lib/libnvrtc.so.*")), reverse=True)


@cache
def _library() -> ctypes.CDLL:
    found = _candidates()
    if not found:
        facts = {"needed": "the Python package nvidia-cuda-nvrtc"}
        raise InputError("NVRTC, the compiler of the GPU kernels, was not found", facts=facts)
    for builtins in found[0].parent.glob("libnvrtc-builtins.so.*"):
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)  # some releases do not find their own
    return ctypes.CDLL(str(found[0]), mode=ctypes.RTLD_GLOBAL)
