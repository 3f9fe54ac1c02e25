"""A standard-cell library as a compact table: area, pin capacitance, delay, leakage and switching energy of its cells.

    delay, slew = f(slew at the input, load at the output), bilinear between the points of the table

Units: square micrometres, femtofarads, picoseconds, nanowatts, femtojoules. A node is a YAML file of this folder, with
source and licence; its figures are those of the library's own Liberty files, at fewer points (extract.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sim.errors import InputError, nearest_name

FOLDER = Path(__file__).parent
Table = tuple[tuple[float, ...], ...]
"""One row a slew, one column a load."""


class Arc(NamedTuple):
    """From an input pin to an output pin of a cell; `energy` is that inside the cell, a transition of the output."""

    input: str
    output: str
    sense: str
    energy: float
    rise: Table
    fall: Table
    rise_slew: Table
    fall_slew: Table


@dataclass(frozen=True)
class StandardCell:
    """A standard cell.

    Attributes
    ----------
    roles
        Pins of flip-flops and clock gates: clock, data, enable, reset.
    outputs
        Function of each output pin; IQ or IQN of a flip-flop.
    setup
        Of a flip-flop or clock gate before the clock's edge.
    clock_energy
        Of a flip-flop or clock gate a cycle in which its clock moves and its output does not.
    """

    name: str
    area: float
    leakage: float
    inputs: Mapping[str, float]
    outputs: Mapping[str, str]
    loads: tuple[float, ...]
    arcs: tuple[Arc, ...]
    roles: Mapping[str, str]
    setup: float
    clock_energy: float

    @property
    def flip_flop(self) -> bool:
        return "data" in self.roles

    @property
    def clock_gate(self) -> bool:
        return "enable" in self.roles

    @property
    def inverting(self) -> bool:
        """Whether a full adder gives the complements of carry and sum, as its arcs show."""
        return all(arc.sense == "negative_unate" for arc in self.arcs if arc.output == next(iter(self.outputs)))

    def pin(self, role: str) -> str:
        return self.roles[role]

    def role(self, pin: str) -> str:
        return next((role for role, found in self.roles.items() if found == pin), "")


@dataclass(frozen=True)
class Library:
    """A node's cells.

    Attributes
    ----------
    slews
        Points of all tables in their rows.
    wire
        Estimate of wires: femtofarads_per_micrometre, and gate_pitches_per_pin of a NAND for each pin on a net.
    wire_margin
        Share of the period that is kept for the resistance of wires, skew and jitter of the clock.
    parts
        Cell of each part that is mapped to by name: nand, clock_gate, flip_flop, reset_flip_flop, buffer; full_adder
        where one is worth it.
    """

    name: str
    node_nanometres: float
    volts: float
    celsius: float
    slews: tuple[float, ...]
    wire: Mapping[str, float]
    wire_margin: float
    parts: Mapping[str, str]
    source: Mapping[str, str]
    cells: Mapping[str, StandardCell]

    @property
    def gate(self) -> float:
        """Area of a NAND of two inputs: a gate equivalent."""
        return self.cells[self.parts["nand"]].area

    @property
    def wire_of_pin(self) -> float:
        """Femtofarads of wire for each pin on a net."""
        return float(self.wire["femtofarads_per_micrometre"] * self.wire["gate_pitches_per_pin"] * self.gate**0.5)


def names() -> list[str]:
    """Nodes that there are tables of."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def load(name: str) -> Library:
    """The library of a node.

    Raises
    ------
    InputError
        For a node without a table.
    """
    if name not in names():
        facts = {"found": name, "allowed": ", ".join(names())}
        raise InputError("no library of this node", field="--node", nearest=nearest_name(name, names()), facts=facts)
    text = (FOLDER / f"{name}.yaml").read_text()
    read = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    slews = tuple(read["slews"])
    cells = {key: _cell(key, found, len(slews)) for key, found in read.pop("cells").items()}
    del read["points"], read["pins"]  # what extract.py makes the cells from
    return Library(**(read | {"slews": slews, "cells": cells}))


def _cell(name: str, found: dict[str, Any], slews: int) -> StandardCell:
    arcs = tuple(
        Arc(arc[0], arc[1], arc[2], arc[3], *(_table(values, slews) for values in arc[4:])) for arc in found["arcs"]
    )
    return StandardCell(
        name=name,
        area=found["area"],
        leakage=found["leakage"],
        inputs=found["inputs"],
        outputs=found["outputs"],
        loads=tuple(found["loads"]),
        arcs=arcs,
        roles=found.get("roles", {}),
        setup=found.get("setup", 0.0),
        clock_energy=found.get("clock_energy", 0.0),
    )


def _table(values: list[float], rows: int) -> Table:
    width = len(values) // rows
    return tuple(tuple(values[row * width : (row + 1) * width]) for row in range(rows))
