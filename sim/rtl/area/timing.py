"""The longest path of a netlist of library cells: delays and slews from the library's tables, wires by their estimate.

    load of a net = its pins + wire x pins         slew and delay of an arc = f(slew at its input, load)
    period >= (clock to output + gates + setup) / (1 - wire_margin)

Rising and falling edges are apart; each edge of a net has the latest arrival and the slowest slew of all its arcs. The
clock and the reset are ideal. Ports launch and capture as flip-flops without delay do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sim.rtl.area.mapping import Mapped
from sim.rtl.library.table import Arc, Library, StandardCell, Table

CLOCK_SLEW = 1
"""Which of a library's slews a clock's edge and those of input ports have."""
PORT_LOAD = 4
"""Pins of a NAND that hang on an output port."""

EDGES = {
    "positive_unate": ((0, 0), (1, 1)),
    "negative_unate": ((1, 0), (0, 1)),
    "non_unate": ((0, 0), (0, 1), (1, 0), (1, 1)),
}
"""Input edge and output edge that go together; 0 rises, 1 falls."""


class NetEdge(NamedTuple):
    """An edge of a net: when it is there, how steep, and what it comes from."""

    arrival: float
    slew: float
    source: tuple[Any, int] | None


@dataclass(frozen=True)
class LongestPath:
    """What the longest path takes.

    Attributes
    ----------
    picoseconds
        From the launching edge of the clock to the capturing one, without wire_margin.
    ends
        StandardCell or port at the end of the path.
    gates
        Cells on it.
    """

    picoseconds: float
    ends: str
    gates: int

    def period(self, library: Library) -> float:
        """The shortest period in picoseconds, wires included."""
        return self.picoseconds / (1 - library.wire_margin)

    def megahertz(self, library: Library) -> float:
        """The highest clock."""
        return 1e6 / self.period(library)


def loads(netlist: Mapped) -> dict[Any, float]:
    """Femtofarads on each net, wires included."""
    library, found = netlist.library, dict[Any, float]()
    wire = library.wire_of_pin
    for cell, pins in netlist.cells:
        for pin, capacitance in cell.inputs.items():
            found[pins[pin]] = found.get(pins[pin], 0.0) + capacitance + wire
    for net in netlist.output_nets():
        found[net] = found.get(net, 0.0) + port_load(library)
    return found


def port_load(library: Library) -> float:
    """Femtofarads on an output port."""
    return PORT_LOAD * (max(library.cells[library.parts["nand"]].inputs.values()) + library.wire_of_pin)


def analyse(netlist: Mapped) -> LongestPath:
    """The longest path from any flip-flop or input port to any flip-flop or output port."""
    library, load = netlist.library, loads(netlist)
    steep = library.slews[CLOCK_SLEW]
    points: dict[Any, list[NetEdge]] = {net: [NetEdge(0.0, steep, None)] * 2 for net in netlist.input_nets()}
    points |= {constant: [NetEdge(0.0, steep, None)] * 2 for constant in ("0", "1", "x")}
    for cell, pins in netlist.cells:
        if cell.flip_flop:
            for arc in cell.arcs:
                farads = load.get(pins[arc.output], 0.0)
                points[pins[arc.output]] = [
                    NetEdge(_look(library, cell, delay, steep, farads), _look(library, cell, slew, steep, farads), None)
                    for delay, slew in ((arc.rise, arc.rise_slew), (arc.fall, arc.fall_slew))
                ]
    for cell, pins in netlist.gates():
        for output in cell.outputs:
            if output not in pins:
                continue
            arcs = [arc for arc in cell.arcs if arc.output == output]
            points[pins[output]] = _latest(library, cell, arcs, pins, points, load.get(pins[output], 0.0))
    return _longest(netlist, points)


def _latest(
    library: Library,
    cell: StandardCell,
    arcs: Sequence[Arc],
    pins: Mapping[str, Any],
    points: Mapping[Any, list[NetEdge]],
    load: float,
) -> list[NetEdge]:
    best = [NetEdge(0.0, 0.0, None), NetEdge(0.0, 0.0, None)]
    for arc in arcs:
        delays, slews = (arc.rise, arc.fall), (arc.rise_slew, arc.fall_slew)
        net = pins[arc.input]
        for before, after in EDGES[arc.sense]:
            comes = points[net][before]
            arrival = comes.arrival + _look(library, cell, delays[after], comes.slew, load)
            slew = max(best[after].slew, _look(library, cell, slews[after], comes.slew, load))
            if arrival > best[after].arrival:
                best[after] = NetEdge(arrival, slew, (net, before))
            else:
                best[after] = best[after]._replace(slew=slew)
    return best


def _longest(netlist: Mapped, points: Mapping[Any, list[NetEdge]]) -> LongestPath:
    ends = [(net, 0.0, "output port") for net in netlist.output_nets()]
    for cell, pins in netlist.cells:
        role = "data" if cell.flip_flop else "enable" if cell.clock_gate else None
        if role is not None:
            ends.append((pins[cell.pin(role)], cell.setup, cell.name))
    late, net, edge, end = max(
        ((points[net][edge].arrival + setup, net, edge, end) for net, setup, end in ends for edge in (0, 1)),
        key=lambda found: found[0],
        default=(0.0, "0", 0, "nothing"),
    )
    gates, source = 0, points[net][edge].source
    while source is not None:
        gates, source = gates + 1, points[source[0]][source[1]].source
    return LongestPath(late, end, gates)


def _look(library: Library, cell: StandardCell, table: Table, slew: float, load: float) -> float:
    """Bilinear; beyond the ends of the table the outermost stretch goes on."""
    row, across = _place(library.slews, slew)
    column, along = _place(cell.loads, load)
    above, below = table[row], table[row + 1]
    upper = above[column] + along * (above[column + 1] - above[column])
    lower = below[column] + along * (below[column + 1] - below[column])
    return upper + across * (lower - upper)


def _place(points: Sequence[float], value: float) -> tuple[int, float]:
    at = min(max(bisect_right(points, value) - 1, 0), len(points) - 2)
    return at, (value - points[at]) / (points[at + 1] - points[at])
