"""Runs a netlist cycle by cycle on many streams of inputs at once, and counts what its nets switch.

Every gate settles once a cycle: glitches are not seen. Switched capacitance is counted in transistor gates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.rtl.area.cells import CELLS, CLOCK_LOAD, OUTPUT_LOAD
from sim.rtl.area.synthesis import Netlist

Streams = NDArray[np.bool_]

FUNCTIONS: dict[str, Callable[..., Streams]] = {
    "$_NOT_": lambda A: ~A,
    "$_AND_": lambda A, B: A & B,
    "$_NAND_": lambda A, B: ~(A & B),
    "$_OR_": lambda A, B: A | B,
    "$_NOR_": lambda A, B: ~(A | B),
    "$_XOR_": lambda A, B: A ^ B,
    "$_XNOR_": lambda A, B: ~(A ^ B),
    "$_MUX_": lambda A, B, S: (B & S) | (A & ~S),
    "$_AOI3_": lambda A, B, C: ~(A & B | C),
    "$_OAI3_": lambda A, B, C: ~((A | B) & C),
}


@dataclass
class Simulation:
    """State of a netlist for a number of streams; reset, all zero."""

    netlist: Netlist
    streams: int
    switched: float = 0.0
    """Switched capacitance of all streams, since the last `start_counting`."""
    _order: list[tuple[Callable[..., Streams], int, list[int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        nets = {net for _, pins in self.netlist.cells for net in pins.values()}
        nets |= {net for bits in self.netlist.ports.values() for net in bits}
        self._index = {net: i for i, net in enumerate(sorted(nets | {"0", "1", "x"}, key=str))}
        self._values = np.zeros((len(self._index), self.streams), np.bool_)
        self._values[self._index["1"]] = True
        self._settled = self._values.copy()
        self._loads = np.zeros(len(self._index))
        flips = []
        for kind, pins in self.netlist.cells:
            for pin, load in CELLS[kind].loads.items():
                self._loads[self._index[pins[pin]]] += load
            self._loads[self._index[pins["Q" if "DFF" in kind else "Y"]]] += OUTPUT_LOAD
            if "DFF" in kind:
                flips.append([self._index[pins[pin]] if pin in pins else -1 for pin in ("Q", "D", "E")])
        self._q, self._d, self._enable = np.array(flips, np.intp).reshape(-1, 3).T
        for kind, pins in self.netlist.gates():
            sources = [self._index[pins[pin]] for pin in CELLS[kind].loads]
            self._order.append((FUNCTIONS[kind], self._index[pins["Y"]], sources))

    def start_counting(self) -> None:
        self.switched = 0.0

    def cycle(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """One clock cycle.

        Parameters
        ----------
        inputs : bits by port, (streams, width) or (width,)
        """
        for port, bits in inputs.items():
            nets = [self._index[net] for net in self.netlist.ports[port]]
            self._values[nets] = np.broadcast_to(np.asarray(bits, np.bool_), (self.streams, len(nets))).T
        for function, output, pins in self._order:
            self._values[output] = function(*(self._values[pin] for pin in pins))
        self.switched += float(self._loads @ (self._settled != self._values).sum(axis=1))
        self._settled = self._values.copy()
        enabled = np.where(self._enable[:, np.newaxis] < 0, True, self._values[self._enable])
        self.switched += CLOCK_LOAD * float(enabled.sum())
        self._values[self._q] = np.where(enabled, self._values[self._d], self._values[self._q])

    def output(self, port: str) -> NDArray[np.bool_]:
        """Bits of a port as they settled in the last cycle, (streams, width)."""
        return self._settled[[self._index[net] for net in self.netlist.ports[port]]].T
