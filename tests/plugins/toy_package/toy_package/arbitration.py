"""The port whose request has the most left to move."""

from __future__ import annotations

from collections.abc import Sequence

from sim.units.dram import Port
from sim.units.dram.arbitration import Arbiter, Waiting


class LargestFirst(Arbiter):
    name = "toy_largest"
    summary = "the largest request, a toy"

    def choose(self, waiting: Sequence[Port], queues: Sequence[Sequence[Waiting]]) -> Port:
        return max(waiting, key=lambda port: queues[port][0].bytes_left)
