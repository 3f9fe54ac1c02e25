"""Takes a node's table out of its library's Liberty files:  python -m sim.rtl.library.extract asap7 FILE.lib ...

The chosen cells, pins and points stand in the table's own YAML; only the figures under `cells` are made again.
A pin's arcs under several conditions become one, the slowest of each point; energies are means over conditions and
edges at the second slew and load.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from sim.rtl.library.liberty import Group, parse
from sim.rtl.library.table import FOLDER

Grid = NDArray[np.float64]
EDGES = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}


class Reader:
    """One library's files, in the units of the table.

    Parameters
    ----------
    slews, loads
        Which of a table's points are kept.
    """

    def __init__(self, library: Group, slews: Sequence[int], loads: Sequence[int]) -> None:
        self.rows, self.columns = list(slews), list(loads)
        self.picoseconds = _unit(library.value("time_unit"), "s") / 1e-12
        scale, unit = library.attributes["capacitive_load_unit"]
        self.femtofarads = float(scale) * PREFIXES[unit.lower().removesuffix("f")] / 1e-15
        self.nanowatts = _unit(library.value("leakage_power_unit"), "w") / 1e-9
        self.femtojoules = self.femtofarads * _unit(library.value("voltage_unit"), "v") ** 2
        templates = library.of("lu_table_template") + library.of("power_lut_template")
        self.templates = {template.arguments[0]: template for template in templates}
        self.library = library

    def cell(self, name: str, unused: dict[str, str], roles: dict[str, str]) -> dict[str, Any]:
        """A cell's figures, but for pins that are tied."""
        group = next(cell for cell in self.library.of("cell") if cell.arguments[0] == name)
        pins = {pin.arguments[0]: pin for pin in group.of("pin")}
        outputs = {pin: found for pin, found in pins.items() if found.value("direction") == "output"}
        state = group.of("ff")[0].arguments if group.of("ff") else ()
        inverted = bool(state) and group.of("ff")[0].value("next_state").startswith("!")
        functions = {}
        for pin, found in outputs.items():
            function = found.value("function")
            if state:
                function = "IQN" if (function == state[1]) != inverted else "IQ"
            functions[pin] = function if "enable" not in roles else roles["clock"]
        arcs = [arc for pin in outputs for arc in self._arcs(pin, pins[pin], unused, "data" in roles)]
        tables = [table for pin in outputs.values() for timing in pin.of("timing") for table in timing.of("cell_rise")]
        loads = self._index(tables[0], 2)[self.columns] * self.femtofarads
        made: dict[str, Any] = {
            "area": _float(group.value("area")),
            "leakage": _rounded(self._leakage(group) * self.nanowatts),
            "inputs": {
                pin: _rounded(_float(found.value("capacitance")) * self.femtofarads)
                for pin, found in pins.items()
                if found.value("direction") == "input" and pin not in unused
            },
            "outputs": functions,
            "loads": [_rounded(load) for load in loads],
            "arcs": arcs,
        }
        if roles:
            made["roles"] = roles
            made["setup"] = _rounded(self._setup(pins[roles.get("data") or roles["enable"]]))
            made["clock_energy"] = _rounded(2 * self._energy(pins[roles["clock"]].of("internal_power")))
        return made

    def _arcs(self, output: str, pin: Group, unused: dict[str, str], flip_flop: bool) -> list[list[Any]]:
        timings = [timing for timing in pin.of("timing") if timing.of("cell_rise") and timing.of("cell_fall")]
        if flip_flop:
            timings = [timing for timing in timings if timing.value("timing_type") == "rising_edge"]
        timings = [timing for timing in timings if timing.value("related_pin") not in unused]
        made = []
        by_pin = groupby(sorted(timings, key=_related), key=_related)
        for related, group in by_pin:
            found = list(group)
            senses = {timing.value("timing_sense") for timing in found}
            tables = [np.max([self._grid(timing.of(edge)[0]) for timing in found], axis=0) for edge in EDGES]
            power = [each for each in pin.of("internal_power") if each.value("related_pin") in (related, "")]
            made.append(
                [related, output, senses.pop() if len(senses) == 1 else "non_unate", _rounded(self._energy(power))]
                + [[_rounded(value) for value in (table * self.picoseconds).ravel()] for table in tables]
            )
        return made

    def _energy(self, powers: Sequence[Group]) -> float:
        values = [self._typical(table) for power in powers for table in power.groups if table.name.endswith("_power")]
        return float(np.mean(values)) * self.femtojoules if values else 0.0

    def _typical(self, power: Group) -> float:
        """At the second of the kept slews and loads."""
        values, slew = _values(power), self.rows[1]
        slews = len(self._index(power, 1))
        rows = values.reshape(slews, -1)
        return float(rows[min(slew, slews - 1), min(self.columns[1], rows.shape[1] - 1)])

    def _leakage(self, cell: Group) -> float:
        if cell.value("cell_leakage_power"):
            return _float(cell.value("cell_leakage_power"))
        found = [power for power in cell.of("leakage_power") if not power.value("when")]
        return sum(_float(power.value("value")) for power in found)

    def _setup(self, pin: Group) -> float:
        """At the second slew of the table on both pins, the worse edge."""
        tables = [
            table
            for timing in pin.of("timing")
            if timing.value("timing_type") == "setup_rising"
            for table in timing.groups
        ]
        rows = [_values(table).reshape(len(self._index(table, 1)), -1) for table in tables]
        worst = max(row[min(1, row.shape[0] - 1), min(1, row.shape[1] - 1)] for row in rows)
        return float(worst * self.picoseconds)

    def _index(self, table: Group, number: int) -> Grid:
        name = f"index_{number}"
        if table.arguments == ("scalar",):
            return np.zeros(1)
        holder = table if name in table.attributes else self.templates[table.arguments[0]]
        return np.array([float(value) for value in ",".join(holder.attributes[name]).split(",")])

    def slews(self, cell: str) -> list[float]:
        """Slews of the kept points."""
        group = next(found for found in self.library.of("cell") if found.arguments[0] == cell)
        timing = next(timing for pin in group.of("pin") for timing in pin.of("timing") if timing.of("cell_rise"))
        return [_rounded(value * self.picoseconds) for value in self._index(timing.of("cell_rise")[0], 1)[self.rows]]

    def _grid(self, table: Group) -> Grid:
        values = _values(table).reshape(len(self._index(table, 1)), len(self._index(table, 2)))
        return values[np.ix_(self.rows, self.columns)]


def _related(timing: Group) -> str:
    return timing.value("related_pin")


def _values(table: Group) -> Grid:
    return np.array([float(value) for value in " ".join(table.attributes["values"]).replace(",", " ").split()])


def _unit(text: str, base: str) -> float:
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return float(number or 1) * PREFIXES[text[len(number) :].lower().removesuffix(base)]


def _float(text: str) -> float:
    return float(text or 0)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def extract(node: str, files: Sequence[Path], say: Callable[[str], object] = print) -> None:
    """Make the figures of a node's table again."""
    path = FOLDER / f"{node}.yaml"
    head = path.read_text().split("\ncells:")[0]
    chosen = yaml.safe_load(head)
    lines = [head, "cells:"]
    points = chosen["points"]
    readers = [Reader(parse(file.read_text()), points["slews"], points["loads"]) for file in files]
    names = {cell.arguments[0]: reader for reader in readers for cell in reader.library.of("cell")}
    for short, pins in chosen["pins"].items():
        name = points["cell"].format(short)
        cell = names[name].cell(name, pins.get("tied", {}), pins.get("roles", {}))
        say(f"{short}: {cell['area']} um2")
        lines.append(f"  {short}:")
        for key, value in cell.items():
            if key == "arcs":
                lines.append("    arcs:")
                lines += [f"    - {_flow(arc)}" for arc in value]
            else:
                lines.append(f"    {key}: {_flow(value)}")
    slews = next(reader.slews(name) for name, reader in names.items() if name == points["cell"].format(points["first"]))
    assert slews == chosen["slews"], f"slews: {slews}"
    path.write_text("\n".join(lines) + "\n")


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=100_000).strip().removesuffix("...").strip()


if __name__ == "__main__":
    extract(sys.argv[1], [Path(name) for name in sys.argv[2:]])
