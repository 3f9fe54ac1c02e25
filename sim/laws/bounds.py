"""Limits on the cycles of a run, computed from the plan alone, without the units: lower <= simulated <= upper.

    lower   the larger of  compute: first fill, every group at the pace of its words and weight blocks, last drain
                           memory:  every byte at the channel's rate
    upper   the sum of everything, nothing overlapped

With unlimited bandwidth, and an output side that keeps up, a run takes the compute bound exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from sim.arch.schema import Hardware
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.operands import Operand, ceil_div
from sim.mapping.pace import Pace
from sim.mapping.plan import Extent, Plan
from sim.mapping.vector_blocks import Blocks
from sim.units.dram import model_of


@dataclass(frozen=True)
class Bounds:
    lower_cycles: int
    upper_cycles: int


@dataclass(frozen=True)
class Traffic:
    """Bytes and requests that a plan asks of DRAM, counted from its blocks."""

    weight_bytes: int
    activation_bytes: int
    output_bytes: int
    fill_beats: int
    requests: int
    output_blocks: int

    @property
    def bytes(self) -> int:
        return self.weight_bytes + self.activation_bytes + self.output_bytes


@dataclass(frozen=True)
class DramFloor:
    """Bytes that no schedule can go below.

    Parameters
    ----------
    compulsory_bytes
        Each operand and the output once.
    communication_bytes
        2 m n k sqrt(a w c / S) - 2 S for a, w, c bytes a value of the operands and the output, and S bytes on the chip.
        While 2 S bytes move, 3 S bytes of values are within reach; by Loomis and Whitney they form at most
        sqrt(S^3 / (a w c)) products (Irony, Toledo and Tiskin 2004; the constant of Smith and van de Geijn 2017).
    """

    compulsory_bytes: int
    communication_bytes: int


def dram_floor(arch: Hardware, plan: Plan, pace: Pace) -> DramFloor:
    """Limits on the DRAM bytes of a GeMM on a machine with this much memory on the chip."""
    m, k, n = plan.gemm.m, plan.gemm.k, plan.gemm.n
    activation, weight, output = (
        operand.data_bytes(lanes, ceil_div(values, plan.group_size), values)
        + operand.side_bytes(lanes, ceil_div(values, plan.group_size), values)
        for operand, lanes, values in ((plan.activations, m, k), (plan.weights, n, k), (pace.output, m, n))
    )
    registers = 4 * arch.mxu.rows * arch.mxu.columns * arch.mxu.count * arch.mxu.output_registers
    buffers = arch.buffers.activation.bytes + arch.buffers.activation.exponent_bytes + arch.buffers.weight.bytes
    on_chip = buffers + registers
    widths = (activation / (m * k)) * (weight / (n * k)) * (output / (m * n))
    communication = 2 * m * n * k * sqrt(widths / on_chip) - 2 * on_chip
    return DramFloor(activation + weight + output, max(0, int(communication)))


def gemm_traffic(arch: Hardware, plan: Plan, pace: Pace) -> Traffic:
    """DRAM traffic of a plan, in whole bursts."""
    weights = _loads(arch, plan, plan.weights, plan.outputs, plan.weights_resident, arch.buffers.weight.fill_port_bits)
    activations = _loads(
        arch, plan, plan.activations, plan.tokens, plan.activations_resident, arch.buffers.activation.fill_port_bits
    )
    blocks = out_bytes = 0
    for rows, row_count in tile_sizes(plan.tokens):
        for columns, column_count in run_widths(plan):
            size = pace.output.data_bytes(rows, ceil_div(columns, pace.output_group), columns)
            size += pace.output.side_bytes(rows, ceil_div(columns, pace.output_group), columns)
            blocks += row_count * column_count
            out_bytes += row_count * column_count * bursts(arch, size)
    return Traffic(
        weight_bytes=weights[0],
        activation_bytes=activations[0],
        output_bytes=out_bytes,
        fill_beats=weights[1] + activations[1],
        requests=weights[2] + activations[2],
        output_blocks=blocks,
    )


def gemm_bounds(arch: Hardware, plan: Plan, pace: Pace, traffic: Traffic, pacing: Pacing) -> Bounds:
    """Limits of one GeMM."""
    dram, launch = model_of(arch), arch.controller.launch_cycles
    compute = first_fill(arch, plan, pacing.first_block) + pacing.steady + last_drain(arch, plan, pace)
    memory = launch + 1 + dram.least_cycles(traffic.bytes)
    drains = sum(plan_drain(arch, plan, rows) * count for rows, count in tile_sizes(plan.tokens)) * column_tiles(plan)
    compressing = sum(
        compress_cycles(arch, pace, rows, cols, plan.roots) * rc * cc
        for rows, rc in tile_sizes(plan.tokens)
        for cols, cc in run_widths(plan)
    )
    upper = (
        launch
        + dram.most_cycles(traffic.bytes, traffic.requests, traffic.output_blocks)
        + 3 * traffic.requests
        + traffic.fill_beats
        + pacing.serial
        + pacing.tiles * (arch.mxu.pipeline_cycles + plan.reduction_cycles)
        + drains
        + compressing
        + 3 * traffic.output_blocks
    )
    return Bounds(max(compute, memory), upper)


def vector_bounds(arch: Hardware, blocks: Blocks, a_cycle: int) -> Bounds:
    """Limits of vector work, of which so many operations fit into a cycle."""
    dram, launch = model_of(arch), arch.controller.launch_cycles
    reads = sum(bursts(arch, block.read_bytes) * count for block, count in blocks.kinds)
    writes = sum(bursts(arch, block.write_bytes) * count for block, count in blocks.kinds)
    compute = sum(ceil_div(block.operations, a_cycle) * count for block, count in blocks.kinds)
    fills = sum(ceil_div(8 * b.read_bytes, arch.buffers.activation.fill_port_bits) * count for b, count in blocks.kinds)
    most = dram.most_cycles(reads + writes, blocks.count, blocks.count)
    upper = launch + compute + most + fills + 6 * blocks.count
    return Bounds(launch + max(compute, dram.least_cycles(reads + writes)), upper)


def bursts(arch: Hardware, size: int) -> int:
    return model_of(arch).bus_bytes(size)


def _block_sizes(extent: Extent) -> Iterator[tuple[int, int]]:
    """Sizes of the blocks of an extent, and how many there are of each."""
    whole, rest = divmod(extent.size, extent.block)
    if whole:
        yield extent.block, whole
    if rest:
        yield rest, 1


def tile_sizes(extent: Extent) -> list[tuple[int, int]]:
    """Sizes of all tiles of an extent, and how many there are of each."""
    sizes: dict[int, int] = {}
    for block, count in _block_sizes(extent):
        whole, rest = divmod(block, extent.tile)
        sizes[extent.tile] = sizes.get(extent.tile, 0) + whole * count
        if rest:
            sizes[rest] = sizes.get(rest, 0) + count
    return [(size, count) for size, count in sizes.items() if count]


def column_tiles(plan: Plan) -> int:
    return sum(count for _, count in tile_sizes(plan.outputs))


def run_widths(plan: Plan) -> list[tuple[int, int]]:
    """Widths of the runs of column tiles, and how many there are of each for one row tile."""
    width = plan.run_tiles * plan.outputs.tile
    return tile_sizes(Extent(plan.outputs.size, plan.outputs.block, width))


def chunk_shapes(plan: Plan) -> Iterator[tuple[int, int]]:
    for index in range(plan.chunks):
        yield plan.chunk(index)


def _loads(
    arch: Hardware, plan: Plan, operand: Operand, extent: Extent, resident: bool, port: int
) -> tuple[int, int, int]:
    """Bytes, fill beats and requests of all loads of one operand."""
    other = plan.outputs if extent is plan.tokens else plan.tokens
    times = (
        sum(count for _, count in tile_sizes(other)) if not resident else 1 if extent is plan.outer else other.blocks
    )
    size = beats = requests = 0
    for lanes, count in tile_sizes(extent):
        for groups, values in chunk_shapes(plan):
            data = operand.data_bytes(lanes, groups, values)
            size += count * times * bursts(arch, data + operand.side_bytes(lanes, groups, values))
            beats += count * times * ceil_div(8 * data, port)
            requests += count * times
    return size, beats, requests


@dataclass(frozen=True)
class Pacing:
    """Cycles of all groups: paced by the slower of words and weight blocks, and one after the other."""

    first_block: int
    steady: int
    serial: int
    tiles: int


def pacing_of(arch: Hardware, plan: Plan, pace: Pace) -> Pacing:
    """Add up the groups of every tile. Inside a tile a group paces itself; its last waits for the next tile's block."""

    def block(columns: int) -> int:
        bits = min(columns, arch.mxu.columns) * plan.step_bits
        return ceil_div(bits, arch.weight_dispatcher.port_bits)

    steady = serial = tiles = 0
    for tokens, outputs, following, pairs in _pairs(plan):
        columns = [block(size) for size in _ends(outputs, plan.outputs.tile)]
        inside, last = plan.outputs.tiles(outputs) - 1, columns[-1]
        for row_index, (size, rows) in enumerate(_rows(tokens, plan.tokens.tile)):
            words = word_cycles(arch, pace, min(size, plan.mxu_rows))
            own = inside * max(words, columns[0]) + max(words, last)
            # Inside a row each tile is followed by the next column, at its end by the first column of the next row.
            next_columns = max(inside - 1, 0) * max(words, columns[0]) + (max(words, last) if inside else 0)
            steady += pairs * rows * ((plan.steps - 1) * own + next_columns + max(words, columns[0]))
            serial += pairs * rows * plan.steps * ((inside + 1) * words + inside * columns[0] + last)
            tiles += pairs * rows * (inside + 1)
            if row_index == len(_rows(tokens, plan.tokens.tile)) - 1:
                after = 0 if following is None else block(min(following, plan.outputs.tile))
                steady += pairs * (max(words, after) - max(words, columns[0]))
    first = block(min(plan.outputs.tile, plan.outputs.block, plan.outputs.size))
    return Pacing(first, steady, serial, tiles)


def word_cycles(arch: Hardware, pace: Pace, rows: int) -> int:
    word = first = ceil_div(rows * pace.word_bits, arch.activation_dispatcher.port_bits)
    if arch.activation_dispatcher.exponent_port_bits:
        first = max(word, ceil_div(rows * EXPONENT_BITS, arch.activation_dispatcher.exponent_port_bits))
    return first + (pace.words - 1) * word


def _ends(block: int, tile: int) -> tuple[int, int]:
    """Sizes of the first and the last tile of a block."""
    return min(tile, block), min(_last_tile(block, tile), block)


def _rows(block: int, tile: int) -> list[tuple[int, int]]:
    """Sizes of the tiles of a block in order, and how many there are of each."""
    whole, rest = divmod(block, tile)
    return [(size, count) for size, count in ((tile, whole), (rest, 1)) if size and count]


def _pairs(plan: Plan) -> Iterator[tuple[int, int, int | None, int]]:
    """Tokens and outputs of the block pairs, the outputs of the pair after, and how many such pairs there are."""
    for tokens, next_tokens, token_count in _successions(plan.tokens):
        for outputs, next_outputs, output_count in _successions(plan.outputs):
            if plan.outer is plan.tokens:
                wrapped = None if next_tokens is None else plan.outputs.block_size(0)
                following = wrapped if next_outputs is None else next_outputs
            else:
                following = next_outputs if next_tokens is None else outputs
            yield tokens, outputs, following, token_count * output_count


def _successions(extent: Extent) -> Iterator[tuple[int, int | None, int]]:
    """Sizes of the blocks of an extent, each with the next one's, and how many there are of each."""
    last = extent.block_size(extent.blocks - 1)
    if extent.blocks > 2:
        yield extent.block, extent.block, extent.blocks - 2
    if extent.blocks > 1:
        yield extent.block, last, 1
    yield last, None, 1


def _last_tile(block: int, tile: int) -> int:
    return block % tile or tile


def first_fill(arch: Hardware, plan: Plan, weight_block: int) -> int:
    """Cycles until the first group computes: both operands' first chunks there, the weights in the PEs."""
    dram = model_of(arch)
    groups, values = plan.chunk(0)
    arrivals = []
    for operand, extent, buffer in (
        (plan.weights, plan.outputs, arch.buffers.weight),
        (plan.activations, plan.tokens, arch.buffers.activation),
    ):
        lanes = min(extent.tile, extent.block, extent.size)
        data = operand.data_bytes(lanes, groups, values)
        moved = bursts(arch, data + operand.side_bytes(lanes, groups, values))
        arrivals.append(dram.read_cycles(moved) + ceil_div(8 * data, buffer.fill_port_bits))
    return arch.controller.launch_cycles + 1 + max(arrivals[0] + weight_block, arrivals[1])


def drain_cycles(arch: Hardware, rows: int) -> int:
    return ceil_div(rows * arch.mxu.columns * 16, arch.collector.port_bits)


def plan_drain(arch: Hardware, plan: Plan, rows: int) -> int:
    """Of a tile of so many rows: FP32 sums where MXUs split K, from the fullest MXU."""
    width = 2 if plan.split.k > 1 else 1
    return drain_cycles(arch, width * min(rows, plan.mxu_rows))


def compress_cycles(arch: Hardware, pace: Pace, rows: int, columns: int, compressors: int) -> int:
    if pace.compressed_rows is None or arch.bpc is None:
        return 0
    passes = ceil_div(rows * ceil_div(columns, pace.output_group), arch.bpc.lanes * compressors)
    return 1 + passes * pace.compressed_rows


def last_drain(arch: Hardware, plan: Plan, pace: Pace) -> int:
    """Cycles from the last group to the last byte leaving."""
    rows = _last_tile(plan.tokens.block_size(plan.tokens.blocks - 1), plan.tokens.tile)
    last_block = plan.outputs.block_size(plan.outputs.blocks - 1)
    columns = _last_tile(last_block, plan.run_tiles * plan.outputs.tile)
    shape = (rows, ceil_div(columns, pace.output_group), columns)
    moved = bursts(arch, pace.output.data_bytes(*shape) + pace.output.side_bytes(*shape))
    through = arch.mxu.pipeline_cycles + plan.reduction_cycles + plan_drain(arch, plan, rows)
    drained = through + compress_cycles(arch, pace, rows, columns, plan.roots)
    return drained + model_of(arch).write_cycles(moved)
