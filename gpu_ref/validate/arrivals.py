"""A complete run of a GeMM on the machine, DRAM and all, and when its matrix unit was served: what feeds the RTL.

chunks of weights and activations   the cycles in which they could be read from their buffers
space                               the cycles in which the writer gave room for an output block
blocks                              the cycles in which a block had left the compressor
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment
from sim.laws.expectation import expect
from sim.machine.assembly import SimulationOptions
from sim.machine.execution import assemble
from sim.mapping.piece import Piece
from sim.units.buffer import Buffer


@dataclass(frozen=True)
class Arrivals:
    """Cycles of a complete run."""

    weight_chunks: NDArray[np.int64]
    activation_chunks: NDArray[np.int64]
    space: NDArray[np.int64]
    blocks: NDArray[np.int64]
    cycles: int


def arrivals(piece: Piece) -> Arrivals:
    """Run a GeMM at the beat grain and note them."""
    expected = expect(piece)
    assembly = assemble(piece, expected, SimulationOptions("beat", fast_forward=False))
    buffers = {unit.name: unit for unit in assembly.units if isinstance(unit, Buffer)}
    environment, writer = assembly.bench.environment, assembly.writer
    chunks = {name: _NotedChannel(environment) for name in buffers}
    for name, buffer in buffers.items():
        buffer.ready = chunks[name]
    writer.space = space = _NotedCredits(environment, writer.space.capacity)
    writer.blocks = blocks = _NotedChannel(environment)
    run = assembly.run()
    expected.check(run)
    return Arrivals(
        np.array(chunks["weight_buffer"].at, np.int64),
        np.array(chunks["activation_buffer"].at, np.int64),
        np.array([0] * space.capacity + space.at, np.int64)[: len(blocks.at)],
        np.array(blocks.at, np.int64),
        run.cycles,
    )


class _NotedChannel(Channel[Any]):
    """Notes when items are put in."""

    __slots__ = ("at",)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.at: list[int] = []

    def put(self, item: Any) -> None:
        self.at.append(self._environment._now)
        super().put(item)


class _NotedCredits(Credits):
    """Notes when credits are given back."""

    __slots__ = ("at",)

    def __init__(self, environment: Environment, capacity: int) -> None:
        super().__init__(environment, capacity)
        self.at: list[int] = []

    def give(self, amount: int = 1) -> None:
        self.at.append(self._environment._now)
        super().give(amount)
