"""First come, first served; ties go to the lower port."""

from __future__ import annotations

from collections.abc import Sequence

from sim.units.dram import Port
from sim.units.dram.arbitration import Arbiter, Waiting


class FirstCome(Arbiter):
    name = "first_come"
    summary = "the oldest request; ties go to weights, then activations"

    def choose(self, waiting: Sequence[Port], queues: Sequence[Sequence[Waiting]]) -> Port:
        return min(waiting, key=lambda port: queues[port][0].arrival)
