"""Writer: takes finished output blocks to DRAM, one request at a time.

    compressor or collector --> blocks --> writer --> DRAM

A block holds one of `space` slots from before it is gathered or compressed until its last burst has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import SQUARE_MILLIMETRES
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.formats.widths import FP16_BITS
from sim.mapping.operands import ceil_div
from sim.units.collector import OutputBlock
from sim.units.dram import Dram
from sim.units.unit import Bench, Steps, Unit


class Writer(Unit):
    """Stores the output; the run ends with its last block.

    Parameters
    ----------
    blocks
        Output blocks of the whole run.
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

    def __init__(self, bench: Bench, dram: Dram, *, slots: int, blocks: int) -> None:
        super().__init__(bench, "writer")
        self.dram = dram
        self.space = Credits(bench.environment, slots)
        self.blocks: Channel[OutputBlock] = Channel(bench.environment)
        self.blocks_left, self.blocks_stored = blocks, 0
        self.progress = 0
        """Blocks stored, those skipped included: what dependent loads wait for."""
        self._awaited: tuple[Callable[[], int], Event] | None = None
        self.finished = Event(bench.environment)
        self.stored: Event | None = None
        self.written_bytes = self.written_values = 0

    def end(self) -> Event:
        return self.finished

    def run(self) -> Steps:
        while self.blocks_left:
            while not self.blocks.items:
                yield self.activity.rest(self.blocks.filled())
            self._store(self.blocks.pop())
            assert self.stored is not None
            yield self.activity.wait(self.stored, State.DRAM)
            self.space.give()
            self.blocks_left -= 1
            self.blocks_stored += 1
            self._advance()
        self.activity.enter(State.IDLE)
        self.finished.succeed()

    def reached(self, needed: Callable[[], int]) -> Event:
        """The event of so many blocks stored, for the one loader that depends on them."""
        self._awaited = needed, Event(self.bench.environment)
        return self._awaited[1]

    def _advance(self) -> None:
        self.progress += 1
        if self._awaited is not None and self.progress >= self._awaited[0]():
            event, self._awaited = self._awaited[1], None
            event.succeed()

    def skip(self, blocks: int) -> None:
        """Take so many blocks as stored."""
        self.blocks_left -= blocks
        self.progress += blocks

    @property
    def is_late(self) -> bool:
        """Whether what a load waits for has been stored without its being told."""
        return self._awaited is not None and self.progress >= self._awaited[0]()

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
        return (tuple(self.blocks.items), self.space.available)

    def counters(self) -> dict[str, int]:
        return {
            "writer.blocks": self.blocks_stored,
            "writer.written_bytes": self.written_bytes,
            "writer.written_values": self.written_values,
        }
