"""The next port in turn that waits: fair a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.units.dram import PORTS, Port
from sim.units.dram.arbitration import Arbiter, Waiting

TURNS = tuple(PORTS[first:] + PORTS[:first] for first in range(len(PORTS)))
"""Ports in the order in which they are served, from each of them on."""


class RoundRobin(Arbiter):
    name = "round_robin"
    summary = "ports in turn, a transaction each"

    def __init__(self) -> None:
        self.next_port = Port.WEIGHTS

    def choose(self, waiting: Sequence[Port], queues: Sequence[Sequence[Waiting]]) -> Port:
        port = waiting[0] if len(waiting) == 1 else next(port for port in TURNS[self.next_port] if port in waiting)
        self.next_port = TURNS[port][1]
        return port

    def relative_state(self) -> tuple[Any, ...]:
        return (self.next_port,)
