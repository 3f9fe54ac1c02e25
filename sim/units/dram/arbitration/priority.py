"""Writes, then activations, then weights."""

from __future__ import annotations

from collections.abc import Sequence

from sim.units.dram import Port
from sim.units.dram.arbitration import Arbiter, Waiting


class Priority(Arbiter):
    name = "priority"
    summary = "writes, then activations, then weights"

    def choose(self, waiting: Sequence[Port], queues: Sequence[Sequence[Waiting]]) -> Port:
        return waiting[-1]
