"""A whole simulated GeMM, DRAM included, written down at the ports that have RTL.

What comes from parts without RTL, chunks from the loaders and slots from the writer, is noted as the cycles in which
it came: a test bench holds the RTL up by them. Every beat of the dispatchers, the collector and the compressor, and
every start of a group, is noted as what the RTL has to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment
from sim.machine.assembly import Assembly
from sim.rtl.checks.reference import HandshakeTrace, NotedChannel, RowPort, SinkPort
from sim.units.bpc import Bpc

WITHOUT_RTL = {
    "controller": "starts the loaders",
    "weight_loader": "asks DRAM for chunks",
    "activation_loader": "asks DRAM for chunks",
    "dram": "of either kind: seen by when chunks arrive and slots come free",
    "weight_buffer": "a chunk is there when it is filled",
    "activation_buffer": "a chunk is there when it is filled",
    "writer": "a slot is free when its block is stored",
    "vector": "does no GeMM that the array does",
}
"""Units that are simulated only, and how the RTL of the others feels them."""
BEATS = {"weight_dispatcher": "weight", "activation_dispatcher": "activation", "collector": "output"}
"""Units that work beat by beat, and what their port is called."""
OPEN = np.ones(1)
"""The pattern of a port that is never closed by a test bench."""


class NotedArrivals(Channel[Any]):
    """A channel that notes when something is put into it."""

    __slots__ = ("at",)

    def __init__(self, environment: Environment, at: list[int]) -> None:
        super().__init__(environment)
        self.at = at

    def put(self, item: Any) -> None:
        self.at.append(self._environment._now)
        super().put(item)


class NotedCredits(Credits):
    """Credits that note when they are taken, and when they are there: those of the beginning in cycle 0."""

    __slots__ = ("at", "taken")

    def __init__(self, environment: Environment, capacity: int, at: list[int], taken: list[int]) -> None:
        super().__init__(environment, capacity)
        self.at, self.taken = at, taken
        at += [0] * capacity

    def take(self, amount: int = 1) -> None:
        self.taken.append(self._environment._now)
        super().take(amount)

    def give(self, amount: int = 1) -> None:
        self.at.append(self._environment._now)
        super().give(amount)


@dataclass
class RecordedRun:
    """What is noted while a machine runs.

    Attributes
    ----------
    weight_chunks, activation_chunks, slots
        Cycles in which chunks are there for the dispatcher and the MXU, and slots of the writer for an output block.
    trace
        Cycles of the handshakes, by port.
    """

    weight_chunks: list[int] = field(default_factory=list)
    activation_chunks: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    trace: HandshakeTrace = field(default_factory=HandshakeTrace)


def record(assembly: Assembly) -> RecordedRun:
    """Have a machine that is not yet started note all this; at the beat grain."""
    noted, environment = RecordedRun(), assembly.bench.environment
    units: dict[str, Any] = {unit.name: unit for unit in assembly.units}
    port: Callable[[str], list[int]] = noted.trace.open
    units["weight_buffer"].ready = NotedArrivals(environment, noted.weight_chunks)
    units["activation_buffer"].ready = NotedArrivals(environment, noted.activation_chunks)
    writer = assembly.writer
    writer.space = NotedCredits(environment, writer.space.capacity, noted.slots, port("space"))
    units["weight_dispatcher"].shadow = NotedChannel(environment, 1, port("group"))
    for unit, beats in (
        ("weight_dispatcher", "weight"),
        ("activation_dispatcher", "activation"),
        ("collector", "output"),
    ):
        units[unit].activity = SinkPort(environment, unit, OPEN, port(beats))
    bpc = units.get("bpc")
    if isinstance(bpc, Bpc):
        bpc.activity = RowPort(environment, bpc, OPEN, port("row"), port("handover"))
    return noted
