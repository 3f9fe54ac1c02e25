"""Writer: takes finished output blocks to DRAM, one request at a time.

    compressor or collector --> blocks --> writer --> DRAM

A block holds one of `space` slots from before it is gathered or compressed until its last burst has left. In programs
several units bring blocks, each through an inlet of its own.
"""

from __future__ import annotations

from typing import Any

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import SQUARE_MILLIMETRES
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.engine.sharing import Inlet, SharedChannel, SharedCredits
from sim.formats.widths import FP16_BITS
from sim.mapping.operands import ceil_div
from sim.units.collector import OutputBlock
from sim.units.dram import Dram
from sim.units.progress import Progress
from sim.units.unit import Bench, Steps, Unit


class Writer(Unit):
    """Stores the output; the run ends with its last block.

    Parameters
    ----------
    blocks
        Output blocks of the whole run.
    progress
        Is told of each block that has been stored.
    shared
        Whether it has inlets.
    """

    names = ("writer",)
    flow = 90

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Memory for the blocks that wait, beside that which the controller's figure contains."""
        cost, described = arch.cost.controller, arch.cost.controller.describes
        values = arch.writer.blocks * arch.mxu.rows * arch.run_width
        bits = FP16_BITS * (values - described.writer_blocks * described.writer_block_values)
        area = bits * cost.block_square_micrometres_per_bit * SQUARE_MILLIMETRES
        return (CostTerms("controller", area_square_millimetres=area),)

    def __init__(
        self,
        bench: Bench,
        dram: Dram,
        *,
        slots: int,
        blocks: int,
        progress: Progress | None = None,
        shared: bool = False,
    ) -> None:
        super().__init__(bench, "writer")
        self.dram, self.progress = dram, progress
        self.space = (SharedCredits if shared else Credits)(bench.environment, slots)
        self.blocks: Channel[OutputBlock] = (SharedChannel if shared else Channel)(bench.environment)
        self.blocks_left, self.blocks_stored = blocks, 0
        self.block: OutputBlock | None = None
        self.finished = Event(bench.environment)
        self.stored: Event | None = None
        self.written_bytes = self.written_values = 0

    def end(self) -> Event:
        return self.finished

    def run(self) -> Steps:
        while self.blocks_left:
            while not self.blocks.items:
                yield self.activity.rest(self.blocks.filled())
            self.block = self.blocks.pop()
            self._store(self.block)
            assert self.stored is not None
            yield self.activity.wait(self.stored, State.DRAM)
            self.space.give()
            self.blocks_left -= 1
            self.blocks_stored += 1
            if self.progress is not None:
                self.progress.advance(self.block.stream.lane)
            self.block = None
        self.activity.enter(State.IDLE)
        self.finished.succeed()

    def inlet(self, number: int) -> Inlet[OutputBlock]:
        """The way in of one of several units."""
        assert isinstance(self.space, SharedCredits)
        assert isinstance(self.blocks, SharedChannel)
        return Inlet(self.space.port(number), self.blocks.port(number))

    def skip(self, blocks: int) -> None:
        """Take so many blocks as stored."""
        self.blocks_left -= blocks

    def _store(self, block: OutputBlock) -> None:
        self.stored = Event(self.bench.environment)
        size = self.block_bytes(block)
        self.written_bytes += self.dram.bus_bytes(size)
        self.written_values += block.rows * block.columns
        self.dram.write(size, self._left)

    def _left(self) -> None:
        assert self.stored is not None
        self.stored.succeed()

    def block_bytes(self, block: OutputBlock) -> int:
        """Bytes of a block in DRAM."""
        output = block.stream.output
        shape = (block.rows, ceil_div(block.columns, block.stream.output_group), block.columns)
        return output.data_bytes(*shape) + output.side_bytes(*shape)

    def in_hand(self) -> tuple[Any, ...]:
        return (self.block, tuple(self.blocks.items), *self.space.relative_state())

    def counters(self) -> dict[str, int]:
        return {
            "writer.blocks": self.blocks_stored,
            "writer.written_bytes": self.written_bytes,
            "writer.written_values": self.written_values,
        }
