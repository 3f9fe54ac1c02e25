"""What a gate costs: transistors in static CMOS, for area, and transistor gates on its pins, for switched capacitance.

    gate equivalents = transistors / 4             a NAND of two inputs is 1
    load of a net    = its driver's output + the transistor gates of the pins it drives

Transistor counts after Weste and Harris, CMOS VLSI Design, 4th ed., ch. 1 and 11 (XOR and multiplexer with transmission
gates and their inverters, flip-flop of two transmission-gate latches). Flip-flops with an enable are clock-gated, as
synthesis does with whole registers, and cost what one without does. An output counts as one pair of transistors.
"""

from __future__ import annotations

from typing import NamedTuple

OUTPUT_LOAD = 2
"""Transistors whose drains hang on a gate's output, about as much capacitance as so many gates."""


class Cell(NamedTuple):
    """A gate: transistors, and transistor gates by pin."""

    transistors: int
    loads: dict[str, int]


def _two_inputs(transistors: int, load: int) -> Cell:
    return Cell(transistors, {"A": load, "B": load})


CELLS = {
    "$_NOT_": Cell(2, {"A": 2}),
    "$_NAND_": _two_inputs(4, 2),
    "$_NOR_": _two_inputs(4, 2),
    "$_AND_": _two_inputs(6, 2),
    "$_OR_": _two_inputs(6, 2),
    "$_XOR_": _two_inputs(10, 4),
    "$_XNOR_": _two_inputs(10, 4),
    "$_MUX_": Cell(10, {"A": 2, "B": 2, "S": 4}),
    "$_AOI3_": Cell(6, {"A": 2, "B": 2, "C": 2}),
    "$_OAI3_": Cell(6, {"A": 2, "B": 2, "C": 2}),
    "$_DFF_P_": Cell(24, {"D": 2}),
    "$_DFFE_PP_": Cell(24, {"D": 2, "E": 0}),
    "$_DFF_PN0_": Cell(28, {"D": 2, "R": 2}),
    "$_DFFE_PN0P_": Cell(28, {"D": 2, "E": 0, "R": 2}),
}
"""The gate set that everything is mapped to."""
CLOCK_LOAD = 4
"""Transistor gates of the clock pin of a flip-flop, both phases, charged once a cycle in which it is enabled."""


def gate_equivalents(counts: dict[str, int]) -> float:
    """Area of so many cells, in NAND gates of two inputs."""
    return sum(CELLS[kind].transistors * count for kind, count in counts.items()) / 4
