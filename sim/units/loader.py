"""A loader (DMA engine): asks DRAM for the chunks of one operand, in the order the MXU needs them.

One request a cycle at most; each waits until what it reads has been stored, until the buffer takes its block, for bytes
in the buffer, and for its share of outstanding loads.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import registers
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Credits
from sim.mapping.attention_nest import KeyValueCursor, QueryCursor
from sim.mapping.nest import Chunk, LoadCursor
from sim.mapping.program_nest import ProgramLoads
from sim.mapping.vector_blocks import BlockCursor
from sim.units.buffer import Buffer
from sim.units.dram import Dram, Port
from sim.units.progress import Progress
from sim.units.unit import Bench, Steps, Unit


class Loader(Unit):
    """Fetches one operand.

    Parameters
    ----------
    progress
        Of the outputs that it reads, in programs.
    """

    names = ("weight_loader", "activation_loader")
    flow = 20

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Registers for the loads under way, beside those that the controller's figure contains."""
        cost = arch.cost.controller
        loads = arch.dram.outstanding_loads - cost.describes.outstanding_loads
        added = registers(arch, len(cls.names) * cost.load_bits * loads)
        return (
            CostTerms(
                "controller",
                standing_milliwatts=added.milliwatts,
                area_square_millimetres=added.square_millimetres,
            ),
        )

    def __init__(
        self,
        bench: Bench,
        name: str,
        cursor: LoadCursor | ProgramLoads | BlockCursor | KeyValueCursor | QueryCursor,
        launched: Event,
        port: Port,
        dram: Dram,
        buffer: Buffer,
        progress: Progress | None = None,
    ):
        super().__init__(bench, name)
        self.cursor, self.launched, self.port, self.dram, self.buffer = cursor, launched, port, dram, buffer
        self.progress = progress
        self.outstanding = Credits(bench.environment, dram.config.outstanding_loads)
        self.chunk = Chunk(0, 0)
        self.in_transit: deque[Chunk] = deque()
        self.requests = 0
        self.requested_bytes = 0

    def run(self) -> Steps:
        yield self.activity.rest(self.launched)
        while not self.cursor.done:
            self.chunk = self.cursor.present()
            if self.progress is not None:
                assert isinstance(self.cursor, ProgramLoads)
                while not self.progress.met(self.cursor):
                    yield self.activity.wait(self.progress.reached(self.cursor), State.DEPENDENCY)
            if self.cursor.opens_block:
                while self.buffer.blocks.available < self.buffer.parts(self.cursor.holds_heads):
                    yield self.activity.wait(self.buffer.blocks.given(), State.BUFFER_SPACE)
                self.buffer.blocks.take(self.buffer.parts(self.cursor.holds_heads))
            while self.buffer.space.available < self.chunk.data_bytes + self.chunk.held_bytes:
                yield self.activity.wait(self.buffer.space.given(), State.BUFFER_SPACE)
            self.buffer.space.take(self.chunk.data_bytes + self.chunk.held_bytes)
            while not self.outstanding.available:
                yield self.activity.wait(self.outstanding.given(), State.DRAM)
            self.outstanding.take()
            self.cursor.step()
            yield self.activity.work(1)
            self.requests += 1
            self.in_transit.append(self.chunk)
            self.requested_bytes += self.dram.bus_bytes(self.chunk.data_bytes + self.chunk.side_bytes)
            self.dram.read(self.port, self.chunk.data_bytes + self.chunk.side_bytes, self._arrived)
        self.activity.enter(State.IDLE)

    def _arrived(self) -> None:
        """DRAM serves the requests of a port in order."""
        self.outstanding.give()
        self.buffer.arrivals.put(self.in_transit.popleft())

    def in_hand(self) -> tuple[Any, ...]:
        return (self.chunk, tuple(self.in_transit), self.outstanding.available)

    def counters(self) -> dict[str, int]:
        return {f"{self.name}.requests": self.requests, f"{self.name}.requested_bytes": self.requested_bytes}
