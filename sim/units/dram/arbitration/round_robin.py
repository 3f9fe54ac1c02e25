"""The next port in turn that waits: fair a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.units.dram import PORTS, Port
from sim.units.dram.arbitration import Arbiter, Waiting


class RoundRobin(Arbiter):
    name = "round_robin"
    summary = "ports in turn, a transaction each"

    def __init__(self) -> None:
        self.next_port = Port.WEIGHTS

    def choose(self, waiting: Sequence[Port], queues: Sequence[Sequence[Waiting]]) -> Port:
        port = min(waiting, key=lambda port: (port - self.next_port) % len(PORTS))
        self.next_port = PORTS[(port + 1) % len(PORTS)]
        return port

    def relative_state(self) -> tuple[Any, ...]:
        return (self.next_port,)
