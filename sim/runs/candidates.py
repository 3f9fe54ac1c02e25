"""The schedules that a search looks among, and bounds on them that take microseconds, before a plan is made.

    split       MXUs over tokens, outputs and K: of all that give as many steps the one of the fewest MXUs, then half as
                many over outputs, a quarter ..., so that others idle
    blocks      of the outer loop all sizes of few tiles, of many those that cut evenly; of the inner loop the few
                smallest: they decide what fits and how well loads overlap
    chunks      of K, doubling; of few groups every size

None depends on how much there is of anything but for what fits: a larger machine has all candidates of a smaller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from sim.arch.schema import Hardware, Schedule, Split
from sim.mapping.operands import GroupedWeights, Operand, ceil_div
from sim.mapping.pace import Pace
from sim.mapping.piece import Piece
from sim.runs.objectives import DRAM_BYTES
from sim.units.dram import model_of
from sim.workload.gemm import Gemm

FEW = 16
"""Up to so many tiles, or groups of K, every size is tried."""
Order = Literal["tokens_outer", "outputs_outer"]
ORDERS: tuple[Order, Order] = ("tokens_outer", "outputs_outer")


class ScheduleBlocks(NamedTuple):
    """A candidate but for its chunks of K, and counts and cycles that none of its runs goes below."""

    split: Split
    order: Order
    tokens: int
    outputs: int
    counters: dict[str, int]
    cycles: int

    def schedule(self, chunk: int) -> Schedule:
        """With chunks of so many values of K."""
        return Schedule(
            token_block=self.tokens, output_block=self.outputs, k_block=chunk, order=self.order, split=self.split
        )


@dataclass(frozen=True)
class ScheduleSpace:
    """The candidates of one piece."""

    piece: Piece

    @property
    def hardware(self) -> Hardware:
        return self.piece.hardware

    @cached_property
    def gemm(self) -> Gemm:
        assert isinstance(self.piece.work, Gemm)
        return self.piece.work

    @cached_property
    def pace(self) -> Pace:
        assert isinstance(self.piece.pace, Pace)
        return self.piece.pace

    @cached_property
    def groups(self) -> int:
        return ceil_div(self.gemm.k, self.hardware.mxu.dot_length)

    def splits(self) -> Iterator[Split]:
        """Those that the machine has MXUs, streams, a tree and room for."""
        hardware, mxu = self.hardware, self.hardware.mxu
        streams = hardware.activation_dispatcher.streams
        rows, columns = ceil_div(self.gemm.m, mxu.rows), ceil_div(self.gemm.n, mxu.columns)
        whole = mxu.dot_length // math.gcd(mxu.dot_length, mxu.columns)
        deepest = streams if hardware.collector.reduction_cycles is not None else 1
        found = set()
        for tokens in _fewest(rows, min(streams, mxu.count)):
            for k in _fewest(self.groups, min(deepest, streams // tokens, mxu.count // tokens)):
                most = mxu.count // (tokens * k)
                for outputs in _halves(columns, most):
                    rounded = ceil_div(outputs, whole) * whole  # a run of one tile
                    split = Split(tokens=tokens, outputs=rounded if rounded <= most else outputs, k=k)
                    if tokens * hardware.run_of(split) <= hardware.run_width:
                        found.add(split)
        yield from sorted(found, key=lambda split: (-split.mxus, split.streams, split.tokens))

    def least(self, split: Split) -> tuple[dict[str, int], int]:
        """Counts and cycles that no run of a split goes below."""
        gemm, mxu = self.gemm, self.hardware.mxu
        rows, columns = ceil_div(gemm.m, mxu.rows * split.tokens), ceil_div(gemm.n, mxu.columns * split.outputs)
        return self._at_least(split, rows * columns, (1, 1))

    def blocks(self, split: Split) -> Iterator[ScheduleBlocks]:
        """Sizes of blocks in both orders."""
        rows, run = self.hardware.mxu.rows * split.tokens, self.hardware.run_of(split)
        tokens = [rows * tiles for tiles in even_parts(ceil_div(self.gemm.m, rows))]
        outputs = [run * runs for runs in even_parts(ceil_div(self.gemm.n, run))]
        few_tokens, few_outputs = _few(tokens, rows), _few(outputs, run)
        for block in tokens:
            for inner in few_outputs:
                yield self._bounded(split, "tokens_outer", block, inner)
        for block in outputs:
            for inner in few_tokens:
                yield self._bounded(split, "outputs_outer", inner, block)

    def chunks(self, split: Split) -> list[int]:
        """Values of K of a chunk: whole groups for each MXU that splits K."""
        group, most = self.hardware.mxu.dot_length * split.k, ceil_div(self.groups, split.k)
        if most <= FEW:
            return [group * groups for groups in range(1, most + 1)]
        sizes = [group << i for i in range((most - 1).bit_length())]
        return [*sizes, group * most]

    def _bounded(self, split: Split, order: Order, tokens: int, outputs: int) -> ScheduleBlocks:
        gemm, mxu, pace = self.gemm, self.hardware.mxu, self.pace
        rows = _tiles(gemm.m, tokens, mxu.rows * split.tokens)
        columns = _tiles(gemm.n, outputs, mxu.columns * split.outputs)
        outer = order == "tokens_outer"
        activations = self._loads(pace.activations, gemm.m, tokens, "activation", columns, outer, outputs, gemm.n)
        weights = self._loads(self._weights, gemm.n, outputs, "weight", rows, not outer, tokens, gemm.m)
        return ScheduleBlocks(
            split, order, tokens, outputs, *self._at_least(split, rows * columns, (weights, activations))
        )

    def _at_least(self, split: Split, tiles: int, loads: tuple[int, int]) -> tuple[dict[str, int], int]:
        """Counts and cycles of so many tiles, weights and activations loaded so often."""
        gemm, pace, (weights, activations, outputs) = self.gemm, self.pace, self._whole
        moved = loads[0] * weights, loads[1] * activations, outputs
        counters = dict(zip(DRAM_BYTES, moved, strict=True))
        counters["mxu.pe_cycles"] = gemm.m * gemm.n * self.groups * pace.passes * pace.words
        compute = tiles * pace.passes * ceil_div(self.groups, split.k) * pace.words + self._ends
        return counters, max(compute, model_of(self.hardware).least_cycles(sum(moved)))

    def _loads(
        self,
        operand: Operand,
        size: int,
        block: int,
        buffer: Literal["weight", "activation"],
        tiles_across: int,
        outer: bool,
        other_block: int,
        other_size: int,
    ) -> int:
        """How often an operand is loaded at least: anew for each tile across where no block of it can be kept."""
        room = getattr(self.hardware.buffers, buffer).bytes
        if operand.data_bytes(min(block, size), self.groups, self.gemm.k) > room:
            return tiles_across
        return 1 if outer else ceil_div(other_size, other_block)

    @cached_property
    def _weights(self) -> GroupedWeights:
        return GroupedWeights(self.gemm.weights)

    @cached_property
    def _whole(self) -> tuple[int, int, int]:
        """Bytes of weights, activations and outputs."""
        m, k, n = self.gemm.m, self.gemm.k, self.gemm.n
        activations, output = self.pace.activations, self.pace.output
        across = ceil_div(n, self.pace.output_group)
        return (
            self._weights.data_bytes(n, self.groups, k),
            activations.data_bytes(m, self.groups, k) + activations.side_bytes(m, self.groups, k),
            output.data_bytes(m, across, n) + output.side_bytes(m, across, n),
        )

    @cached_property
    def _ends(self) -> int:
        """Cycles before the first group and after the last, at least."""
        hardware, dram = self.hardware, model_of(self.hardware)
        through = dram.read_cycles(1) + hardware.mxu.pipeline_cycles + dram.write_cycles(1)
        return hardware.controller.launch_cycles + through


def _tiles(size: int, block: int, tile: int) -> int:
    """In blocks, of which the last may be smaller."""
    whole, rest = divmod(size, block)
    return whole * ceil_div(block, tile) + ceil_div(rest, tile)


def _fewest(parts: int, most: int) -> list[int]:
    """Numbers of MXUs up to `most` that take fewer steps for so many parts than one MXU fewer would."""
    return [n for n in range(1, min(parts, most) + 1) if n == 1 or ceil_div(parts, n) < ceil_div(parts, n - 1)]


def _halves(parts: int, most: int) -> list[int]:
    """The fewest MXUs for as few steps as `most` take, then for twice as many steps, four times ..."""
    steps, found = ceil_div(parts, min(parts, most)), []
    while steps < 2 * parts:
        found.append(ceil_div(parts, min(steps, parts)))
        steps *= 2
    return sorted({*found, min(parts, most)}, reverse=True)


def even_parts(tiles: int) -> list[int]:
    """Sizes of blocks that cut tiles into 1, 2, 3 ... blocks as evenly as can be, the largest first."""
    if tiles <= FEW:
        return list(range(tiles, 0, -1))
    return sorted({ceil_div(tiles, blocks) for blocks in range(1, tiles + 1)}, reverse=True)


def _few(sizes: list[int], tile: int) -> list[int]:
    """Sizes for the inner loop's blocks: all where there are few, else the three smallest powers of two."""
    return sizes if len(sizes) <= FEW else [tile, 2 * tile, 4 * tile]
