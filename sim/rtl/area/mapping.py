"""Synthesis of a module to the cells of a library: full adders and clock gates as cells, gates sized for a clock.

    slang --> Yosys --> full adders, clock gates, flip-flops --> abc, for a delay --> cells of the library

A register with an enable has a clock gate where it is wider than 3 bits, else a multiplexer. abc sees the gates between
flip-flops and full adders, not those themselves, so that it is given a share of the period; wires count as capacitance
of the pins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

from sim.rtl.area.synthesis import read, run
from sim.rtl.library.liberty import write
from sim.rtl.library.table import Library, StandardCell, load

GATED_BITS = 4
"""The narrowest register whose clock is gated."""
LOGIC_SHARES = (0.6, 0.45, 0.3)
"""Shares of the period that abc is given for the gates between flip-flops or full adders, until the clock is met."""
DRIVER_LOAD = 4
"""Pins of a NAND on an output, for abc."""
FULL_ADDERS = """
extract_fa -fa
techmap -map full_adder.v
simplemap
opt -fast
"""
SIZING = """strash
dch
map -B 0.9 -D {0:.0f}
topo
buffer -c -N 8
upsize -D {0:.0f}
dnsize -D {0:.0f}
"""
"""abc's steps for a delay; those that Yosys gives it leave chains as they are (14 ns, not 7, in an adder of sky130)."""


@dataclass(frozen=True)
class Mapped:
    """A flat module of library cells; nets are numbers, or "0", "1", "x"."""

    library: Library
    ports: Mapping[str, list[Any]]
    directions: Mapping[str, str]
    cells: Sequence[tuple[StandardCell, Mapping[str, Any]]]

    @property
    def area(self) -> float:
        """Square micrometres of cells."""
        return sum(cell.area for cell, _ in self.cells)

    @property
    def leakage(self) -> float:
        """Nanowatts."""
        return sum(cell.leakage for cell, _ in self.cells)

    @property
    def flip_flops(self) -> int:
        return sum(cell.flip_flop for cell, _ in self.cells)

    def counts(self) -> dict[str, int]:
        """Cells by name."""
        return dict(sorted(Counter(cell.name for cell, _ in self.cells).items()))

    def input_nets(self) -> list[Any]:
        """Nets of input ports."""
        return [net for name, nets in self.ports.items() if self.directions[name] == "input" for net in nets]

    def output_nets(self) -> list[Any]:
        """Nets of output ports."""
        return [net for name, nets in self.ports.items() if self.directions[name] == "output" for net in nets]

    def gates(self) -> list[tuple[StandardCell, Mapping[str, Any]]]:
        """Cells that hold no state, each behind those that drive it."""
        gates = [(cell, pins) for cell, pins in self.cells if not cell.flip_flop and not cell.clock_gate]
        drivers = {pins[pin]: index for index, (cell, pins) in enumerate(gates) for pin in cell.outputs if pin in pins}
        feeds = {
            index: {drivers[pins[pin]] for pin in cell.inputs if pins[pin] in drivers}
            for index, (cell, pins) in enumerate(gates)
        }
        return [gates[index] for index in TopologicalSorter(feeds).static_order()]


@cache
def _mapped(node: str, module: str, parameters: tuple[tuple[str, int], ...], period: float, share: float) -> Mapped:
    library = load(node)
    gate = library.cells[library.parts["clock_gate"]]
    clocked = next(iter(gate.outputs))
    delay = max(period * (1 - library.wire_margin) * share, 1.0)
    steps = f"""
        {read(module, dict(parameters))}
        synth -flatten -noabc
        {FULL_ADDERS if "full_adder" in library.parts else ""}
        dfflegalize -cell $_DFF_P_ x -cell $_DFFE_PP_ x -cell $_DFF_PN0_ x -cell $_DFFE_PN0P_ x
        clockgate -pos {gate.name} {gate.pin("enable")}:{gate.pin("clock")}:{clocked} -min_net_size {GATED_BITS}
        dfflegalize -cell $_DFF_P_ x -cell $_DFF_PN0_ x
        techmap -map flip_flops.v
        simplemap
        opt -fast
        abc -liberty cells.lib -constr cells.constr -script size.abc
        opt_clean -purge
        write_json netlist.json
    """
    nand = library.cells[library.parts["nand"]]
    files = {
        "cells.lib": write(library, library.wire_of_pin),
        "cells.constr": f"set_driving_cell {library.parts['buffer']}\n"
        f"set_load {DRIVER_LOAD * max(nand.inputs.values()):.3f} [all_outputs]\n",
        "size.abc": SIZING.format(delay),
        "full_adder.v": _full_adder(library) if "full_adder" in library.parts else "",
        "flip_flops.v": _flip_flop(library, "flip_flop", "$_DFF_P_")
        + _flip_flop(library, "reset_flip_flop", "$_DFF_PN0_"),
    }  # fmt: skip
    found = run(module, steps, files)
    cells = [(library.cells[kind], pins) for kind, pins in found.cells]
    return Mapped(library, found.ports, found.directions, cells)


def synthesise_for(
    node: str, module: str, parameters: Mapping[str, int], period: float, share: float = LOGIC_SHARES[0]
) -> Mapped:
    """A module of this package in a node's cells, sized for a period in picoseconds, of which gates have a share.

    Raises
    ------
    InputError
        For a node without a table; where Yosys is missing or fails.
    """
    return _mapped(node, module, tuple(sorted(parameters.items())), period, share)


def _full_adder(library: Library) -> str:
    """$fa of Yosys: X carries, Y is the sum."""
    cell = library.cells[library.parts["full_adder"]]
    a, b, c = cell.inputs
    carry, total = (f".{pin}({wire}[i])" for pin, wire in zip(cell.outputs, ("carry", "total"), strict=True))
    mark = "~" if cell.inverting else ""
    return f"""
        (* techmap_celltype = "$fa" *)
        module full_adder #(parameter WIDTH = 1) (input [WIDTH-1:0] A, B, C, output [WIDTH-1:0] X, Y);
          wire [WIDTH-1:0] carry, total;
          genvar i;
          for (i = 0; i < WIDTH; i = i + 1) begin : bits
            {cell.name} cell_i (.{a}(A[i]), .{b}(B[i]), .{c}(C[i]), {carry}, {total});
          end
          assign X = {mark}carry;
          assign Y = {mark}total;
        endmodule
    """


def _flip_flop(library: Library, part: str, kind: str) -> str:
    cell = library.cells[library.parts[part]]
    output, function = next(iter(cell.outputs.items()))
    reset = f", .{cell.pin('reset')}(R)" if "reset" in cell.roles else ""
    port = ", R" if reset else ""
    mark = "~" if function == "IQN" else ""
    return f"""
        module \\{kind} (input D, C{port}, output Q);
          wire state;
          {cell.name} cell_i (.{cell.pin("clock")}(C), .{cell.pin("data")}(D){reset}, .{output}(state));
          assign Q = {mark}state;
        endmodule
    """
