"""Vector work cut into blocks of which a few fit the activation buffer, and the cursor that loads their operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sim.mapping.nest import Chunk
from sim.mapping.operands import ceil_div
from sim.workload.gemm import VectorWork

BLOCKS_IN_BUFFER = 4


class VectorBlock(NamedTuple):
    """A piece of vector work small enough for the buffer."""

    operations: int
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True)
class Blocks:
    """`count` blocks, all alike but the last, which is no smaller."""

    count: int
    body: VectorBlock
    last: VectorBlock

    @property
    def reads(self) -> bool:
        """Whether there are operands to load."""
        return self.last.read_bytes > 0

    @property
    def kinds(self) -> tuple[tuple[VectorBlock, int], ...]:
        """Blocks and how many there are of each."""
        return (self.body, self.count - 1), (self.last, 1)


def cut(work: VectorWork, buffer_bytes: int) -> Blocks:
    """Equal blocks; the last takes the remainders."""
    largest = max(work.read_bytes, work.write_bytes, 1)
    count = ceil_div(largest * BLOCKS_IN_BUFFER, buffer_bytes)
    amounts = (work.operations, work.read_bytes, work.write_bytes)
    body = VectorBlock(*(amount // count for amount in amounts))
    last = VectorBlock(*(amount - amount // count * (count - 1) for amount in amounts))
    return Blocks(count, body, last)


class BlockCursor:
    """Walks over vector blocks, or the operands of them."""

    __slots__ = ("blocks", "index")
    levels: ClassVar = ("vector blocks",)
    kind: ClassVar = 0
    needed: ClassVar = 0

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.index = 0

    @property
    def done(self) -> bool:
        return self.index == self.blocks.count

    @property
    def position(self) -> tuple[int]:
        return (self.index,)

    @property
    def shape(self) -> tuple[()]:
        return ()

    def count(self, level: int) -> int:
        """Iterations of the only loop."""
        return self.blocks.count

    def first(self, level: int) -> int:
        return 0

    def runs_over(self, level: int) -> bool:
        return True

    def jump(self, level: int, iterations: int) -> None:
        self.index += iterations

    @property
    def block(self) -> VectorBlock:
        return self.blocks.last if self.index == self.blocks.count - 1 else self.blocks.body

    @property
    def opens_block(self) -> bool:
        return True

    def present(self) -> Chunk:
        return Chunk(self.block.read_bytes, 0)

    def step(self) -> None:
        self.index += 1
