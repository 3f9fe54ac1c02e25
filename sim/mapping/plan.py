"""A GeMM cut into blocks, tiles and chunks for one machine, or the reason why it does not fit.

    for outer block                     tokens or outputs, as `order` says
      for inner block                   the other of the two
        for row tile, column tile       what the MXUs hold at a time: output stationary
          for chunk of K                what is loaded and released at a time

A tile is that of all MXUs that the schedule uses: `split.tokens` MXUs high, `split.outputs` wide. Where `split.k` MXUs
share a tile, they take the groups of a chunk in turn, and a tree adds their sums.

An operand whose block, over all of K, fits its buffer is resident: loaded once a block, tile by tile, and kept while
the loops inside run over it. One that does not fit is streamed: loaded anew for every output tile, chunk by chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sim.arch.schema import Hardware, Schedule, Split
from sim.mapping.operands import Operand, ceil_div
from sim.workload.gemm import Gemm


@dataclass(frozen=True)
class Extent:
    """One dimension of the output: its size, cut into blocks, and those into tiles."""

    size: int
    block: int
    tile: int

    @cached_property
    def blocks(self) -> int:
        return ceil_div(self.size, self.block)

    def block_size(self, index: int) -> int:
        return min(self.block, self.size - index * self.block)

    def tiles(self, block_size: int) -> int:
        return ceil_div(block_size, self.tile)


ALONE = Split()


@dataclass(frozen=True)
class Plan:
    """What the loops of the machine run over. Sizes in values, K also in groups of the MXU's dot length."""

    gemm: Gemm
    tokens: Extent
    outputs: Extent
    order: Literal["tokens_outer", "outputs_outer"]
    group_size: int
    chunk_groups: int
    run_tiles: int
    """Neighbouring column tiles that leave as one: as many as hold whole groups of the next GeMM's input."""
    activations: Operand
    weights: Operand
    activations_resident: bool
    weights_resident: bool
    passes: int = 1
    """How often the activations of a group go through the PEs: once for each digit of its weights."""
    split: Split = ALONE
    """What the MXUs split."""
    reduction_cycles: int = 0
    """From the last FP32 sums leaving the MXUs that split K to their sum."""

    @cached_property
    def steps(self) -> int:
        """Passes over all groups of K: what the MXUs do one after the other for a tile."""
        return self.passes * sum(ceil_div(self.chunk(index)[0], self.split.k) for index in range(self.chunks))

    @cached_property
    def work(self) -> int:
        """Passes over all groups of K, of all MXUs that share a tile."""
        return self.groups * self.passes

    @property
    def mxu_rows(self) -> int:
        """Rows of an MXU."""
        return self.tokens.tile // self.split.tokens

    @property
    def roots(self) -> int:
        """MXUs that outputs leave from."""
        return self.split.tokens * self.split.outputs

    @cached_property
    def step_bits(self) -> int:
        """Bits of a column's weights in a pass over a group; its digits take equal room."""
        return self.group_size * ceil_div(self.gemm.weights.read_bits, self.passes)

    @cached_property
    def side_bits(self) -> int:
        """Bits of scales and offsets that come with them."""
        return self.gemm.weights.side_bits(self.group_size)

    @cached_property
    def groups(self) -> int:
        return ceil_div(self.gemm.k, self.group_size)

    @cached_property
    def chunks(self) -> int:
        return ceil_div(self.groups, self.chunk_groups)

    @cached_property
    def outer(self) -> Extent:
        return self.tokens if self.order == "tokens_outer" else self.outputs

    @cached_property
    def inner(self) -> Extent:
        return self.outputs if self.order == "tokens_outer" else self.tokens

    def chunk(self, index: int) -> tuple[int, int]:
        """Groups and values of one chunk of K."""
        return _chunk(self.gemm.k, self.group_size, self.chunk_groups, index)


def _chunk(k: int, group_size: int, chunk_groups: int, index: int) -> tuple[int, int]:
    first = index * chunk_groups
    groups = min(chunk_groups, ceil_div(k, group_size) - first)
    return groups, min(groups * group_size, k - first * group_size)


def make_plan(
    arch: Hardware, gemm: Gemm, activations: Operand, weights: Operand, schedule: Schedule, passes: int = 1
) -> Plan:
    """Cut a GeMM as the schedule says.

    Raises
    ------
    InputError
        Where not even one chunk of one tile fits a buffer; says what is needed and what there is.
    """
    split = arch.split_of(schedule)
    tile_columns, levels = arch.mxu.columns * split.outputs, (split.k - 1).bit_length()
    group = arch.mxu.dot_length
    tokens = Extent(gemm.m, min(schedule.token_block, gemm.m), arch.mxu.rows * split.tokens)
    outputs = Extent(gemm.n, min(schedule.output_block, gemm.n), tile_columns)
    chunk_groups = min(ceil_div(schedule.k_block, group), ceil_div(gemm.k, group))
    chunks = [_chunk(gemm.k, group, chunk_groups, i) for i in range(ceil_div(ceil_div(gemm.k, group), chunk_groups))]
    plan = Plan(
        gemm=gemm,
        tokens=tokens,
        outputs=outputs,
        order=schedule.order,
        group_size=group,
        chunk_groups=chunk_groups,
        run_tiles=arch.run_of(split) // tile_columns,
        activations=activations,
        weights=weights,
        activations_resident=_fits(arch, activations, tokens, chunks, "activation"),
        weights_resident=_fits(arch, weights, outputs, chunks, "weight"),
        passes=passes,
        split=split,
        reduction_cycles=levels * (arch.collector.reduction_cycles or 0),
    )
    groups, values = plan.chunk(0)
    if not plan.activations_resident:
        _require(arch, gemm, activations, min(tokens.tile, tokens.block), groups, values, "activation")
    if not plan.weights_resident:
        _require(arch, gemm, weights, min(outputs.tile, gemm.n), groups, values, "weight")
    return plan


def _capacity(arch: Hardware, buffer: Literal["activation", "weight"]) -> tuple[int, int]:
    if buffer == "weight":
        return arch.buffers.weight.bytes, 0
    return arch.buffers.activation.bytes, arch.buffers.activation.exponent_bytes


def _fits(
    arch: Hardware,
    operand: Operand,
    extent: Extent,
    chunks: list[tuple[int, int]],
    buffer: Literal["activation", "weight"],
) -> bool:
    """Whether all tiles and chunks of a block fit at once; a scale that two chunks share is stored with both."""
    data, side = _capacity(arch, buffer)
    whole, rest = divmod(min(extent.block, extent.size), extent.tile)
    pieces = [(tile, times, chunk) for tile, times in ((extent.tile, whole), (rest, 1)) if tile for chunk in chunks]
    needed = sum(times * operand.data_bytes(tile, *chunk) for tile, times, chunk in pieces)
    side_needed = sum(times * operand.side_bytes(tile, *chunk) for tile, times, chunk in pieces)
    return needed <= data and side_needed <= side


def _require(
    arch: Hardware,
    gemm: Gemm,
    operand: Operand,
    lanes: int,
    groups: int,
    values: int,
    buffer: Literal["activation", "weight"],
) -> None:
    data, side = _capacity(arch, buffer)
    group = arch.mxu.dot_length
    side_needed = operand.side_bytes(lanes, groups, values)
    if side_needed > side:
        raise arch.refuse(
            f"buffers.{buffer}.exponent_bytes",
            f"too small for one tile of {gemm.name}",
            needed=f"{side_needed} bytes = exponents of {lanes} x {groups} groups",
            available=f"{side} bytes",
        )
    needed = operand.data_bytes(lanes, groups, values)
    if needed <= data:
        return
    what = "tokens" if buffer == "activation" else "outputs"
    fitting = next((g for g in range(groups, 0, -1) if operand.data_bytes(lanes, g, g * group) <= data), 0)
    raise arch.refuse(
        f"buffers.{buffer}.bytes",
        f"too small for one tile of {gemm.name}",
        needed=f"{needed} bytes = {lanes} {what} x {values} values of K",
        available=f"{data} bytes",
        **({"fits with": f"schedule.k_block <= {fitting * group}"} if fitting else {}),
    )
