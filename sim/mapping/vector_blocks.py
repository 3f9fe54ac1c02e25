"""Vector work, or tokens to quantise, in blocks of which a few fit the activation buffer, and the cursor over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sim.mapping.nest import Chunk, InOneOperation
from sim.mapping.operands import Fp16Activations, TokenActivations, ceil_div
from sim.workload.gemm import Quantisation, VectorWork

BLOCKS_IN_BUFFER = 4


class VectorBlock(NamedTuple):
    """A piece of vector work small enough for the buffer."""

    operations: int
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True)
class Blocks:
    """`count` blocks, all alike but the last."""

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


def cut_rows(work: VectorWork, rows: int, rows_a_block: int, buffer_bytes: int) -> tuple[Blocks, int]:
    """Blocks of whole rows, and the rows of each, at most so many; the last takes the remainders.

    Work that is less than an operation or a byte a row is one block.
    """
    amounts = (work.operations, work.read_bytes, work.write_bytes)
    most = buffer_bytes // (BLOCKS_IN_BUFFER * max(1, ceil_div(max(amounts[1:]), rows)))
    each = min(rows_a_block, max(1, most), rows)
    if any(0 < amount < rows for amount in amounts):
        each = rows
    count = ceil_div(rows, each)
    body = VectorBlock(*(amount // rows * each for amount in amounts))
    last = VectorBlock(*(amount - amount // rows * each * (count - 1) for amount in amounts))
    return Blocks(count, body, last), each


TOKEN_DIVISION_CYCLES = 40
"""Of a token's scale and its reciprocal, a bit a cycle (sim/rtl/modules/quantiser.sv)."""


def token_cycles(values: int, lanes: int) -> int:
    """Cycles of a token in a quantiser: two passes, and the division between them."""
    return 2 * ceil_div(values, lanes) + TOKEN_DIVISION_CYCLES


def cut_tokens(work: Quantisation, lanes: int, buffer_bytes: int) -> Blocks:
    """Blocks of whole tokens, whose operations are the quantiser's cycles; the last takes what is left.

    Keys and values on their way to the cache are one block, of which nothing goes to DRAM or comes from it.
    """
    if work.cached:
        block_of_all = VectorBlock(work.tokens * token_cycles(work.values, lanes), 0, 0)
        return Blocks(1, block_of_all, block_of_all)
    token, stored = Fp16Activations().data_bytes(1, 1, work.values), TokenActivations(work.bits)
    most = max(1, buffer_bytes // (BLOCKS_IN_BUFFER * token))

    def block(tokens: int) -> VectorBlock:
        cycles = tokens * token_cycles(work.values, lanes)
        return VectorBlock(cycles, tokens * token, stored.data_bytes(tokens, 1, work.values))

    count = ceil_div(work.tokens, most)
    return Blocks(count, block(most), block(work.tokens - most * (count - 1)))


class BlockCursor(InOneOperation):
    """Walks over vector blocks, or the operands of them."""

    __slots__ = ("blocks", "index")
    levels: ClassVar = ("vector blocks",)
    kind: ClassVar = 0
    holds_heads: ClassVar = False

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

    def restart(self) -> None:
        """From the end to the start."""
        self.index = 0
