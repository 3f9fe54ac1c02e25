"""An SRAM buffer: chunks from DRAM enter through the fill port, wait until used, and free their bytes when released.

    DRAM --> arrivals --> fill port --> ready --> dispatcher
    loader <---------- space, blocks <----------- released by the consumer

A chunk of b bytes occupies the fill port for

    ceil(8 b / fill_port_bits)  cycles

and is readable afterwards. Space is taken by the loader before it asks DRAM, so data never waits for space. A double
buffer holds chunks of two blocks at most, the one in use and the next; a single one those of one block.
"""

from __future__ import annotations

from typing import Any

from sim.arch.schema import Buffer as BufferConfig
from sim.engine.channel import Channel, Credits
from sim.mapping.nest import Chunk
from sim.mapping.operands import ceil_div
from sim.units.unit import Bench, Steps, Unit


class Buffer(Unit):
    """Fill side and bookkeeping of one buffer."""

    def __init__(self, bench: Bench, name: str, config: BufferConfig) -> None:
        super().__init__(bench, name)
        self.config = config
        self.arrivals: Channel[Chunk] = Channel(bench.environment)
        self.ready: Channel[Chunk] = Channel(bench.environment)
        self.space = Credits(bench.environment, config.bytes)
        self.blocks = Credits(bench.environment, 2 if config.double_buffered else 1)
        """The block in use, and the next where double buffered."""
        self.chunk = Chunk(0, 0)
        self.bits_left = 0
        self.filled_bytes = self.filled_side_bytes = 0
        self.fill_beats = 0
        self._fill = self.beat_fill if bench.grain == "beat" else self.tile_fill

    def run(self) -> Steps:
        while True:
            while not self.arrivals.items:
                yield self.activity.rest(self.arrivals.filled())
            self.chunk = self.arrivals.pop()
            yield from self._fill()
            self.filled_bytes += self.chunk.data_bytes
            self.filled_side_bytes += self.chunk.side_bytes
            self.ready.put(self.chunk)

    def beat_fill(self) -> Steps:
        self.bits_left = 8 * self.chunk.data_bytes
        while self.bits_left > 0:
            yield self.activity.work(1)
            self.bits_left -= self.config.fill_port_bits
            self.fill_beats += 1

    def tile_fill(self) -> Steps:
        beats = ceil_div(8 * self.chunk.data_bytes, self.config.fill_port_bits)
        self.fill_beats += beats
        yield self.activity.work(beats)

    def in_hand(self) -> tuple[Any, ...]:
        return (
            self.chunk,
            tuple(self.arrivals.items),
            tuple(self.ready.items),
            self.space.available,
            self.blocks.available,
        )

    def counters(self) -> dict[str, int]:
        return {
            f"{self.name}.filled_bytes": self.filled_bytes,
            f"{self.name}.filled_side_bytes": self.filled_side_bytes,
            f"{self.name}.fill_beats": self.fill_beats,
        }
