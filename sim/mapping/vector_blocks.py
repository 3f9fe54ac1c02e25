"""Vector work cut into blocks of which a few fit the activation buffer, and the cursor that loads their operands."""

from __future__ import annotations

from typing import NamedTuple

from sim.mapping.nest import Chunk
from sim.mapping.operands import ceil_div
from sim.workload.gemm import VectorWork

BLOCKS_IN_BUFFER = 4


class VectorBlock(NamedTuple):
    """A piece of vector work small enough for the buffer."""

    operations: int
    read_bytes: int
    write_bytes: int


Blocks = tuple[tuple[VectorBlock, int], ...]
"""Equal blocks and how many of them follow one another, in order."""


def cut(work: VectorWork, buffer_bytes: int) -> Blocks:
    """Equal blocks; the last takes the remainders."""
    largest = max(work.read_bytes, work.write_bytes, 1)
    count = ceil_div(largest * BLOCKS_IN_BUFFER, buffer_bytes)
    amounts = (work.operations, work.read_bytes, work.write_bytes)
    block = VectorBlock(*(amount // count for amount in amounts))
    last = VectorBlock(*(amount - amount // count * (count - 1) for amount in amounts))
    return ((block, count),) if block == last else ((block, count - 1), (last, 1))


class BlockCursor:
    """Walks over the operands of vector blocks."""

    __slots__ = ("blocks", "index", "kind")

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.kind = self.index = 0

    @property
    def done(self) -> bool:
        return self.kind == len(self.blocks)

    @property
    def block(self) -> VectorBlock:
        return self.blocks[self.kind][0]

    @property
    def opens_block(self) -> bool:
        return True

    def present(self) -> Chunk:
        return Chunk(self.block.read_bytes, 0)

    def step(self) -> None:
        self.index += 1
        if self.index == self.blocks[self.kind][1]:
            self.index = 0
            self.kind += 1
