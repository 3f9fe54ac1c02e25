"""Fused attention cut into blocks for one machine: scores and the softmax's weights stay on the chip.

    for head, row block, key block, row tile
      scores    S = Q K^T     of this key block, of which the vector unit does the softmax meanwhile
      context   O += P V      of the key block before, of the row block or head before where this is the first

The vector unit takes row tiles as they come: of scores the maximum, subtraction, exponential, sum, and the
product with V's scale where V is of integers; the output so far is scaled and added to, and divided once at the end.

The activation buffer holds a few row tiles of scores and partial outputs, P of a key block, the outputs so far in FP32,
and Q in the rest. Keys and values of a head are loaded once where all of them fit the weight buffer, else once a row
block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from sim.arch.schema import Hardware
from sim.formats.widths import FP16_BITS
from sim.mapping.operands import Fp16Activations, ceil_div
from sim.mapping.pace import Pace
from sim.mapping.stream import Lane, Stream
from sim.workload.gemm import FusedAttention

LARGEST_KEY_BLOCK = 512
"""Keys of a block: long enough that rescaling the outputs costs little beside the softmax."""
WAITING_TILES = 4
"""Row tiles of scores or partial outputs on the chip at a time: of each product one in the vector unit and the next."""
FURTHER_WEIGHT_TILES = 2
"""Row tiles of P on the chip beside those of a key block, while one row tile takes the place of another."""
LOADED_BLOCKS = 4
"""Key blocks of K or V that the weight buffer holds at least: of each the present and the next."""
HEADS_IN_BUFFER = 3
"""Heads, or row blocks where nothing stays, whose keys and values are in the weight buffer: of one the last values, of
one the keys, and the next."""
SCORE_BYTES = 2
SUM_BYTES = 4
MAXIMUM_OPERATIONS = 1
SOFT_CAP_OPERATIONS = 3  # c tanh(x / c): product, tanh, product
WEIGHT_OPERATIONS = 3  # subtract the maximum (the scale is in the queries), exponential, sum
FOLD_OPERATIONS = 1  # product with V's scale
RESCALE_ROW_OPERATIONS = 2  # difference of the maxima, its exponential; the sum is rescaled as it is added to
DIVIDE_ROW_OPERATIONS = 1  # reciprocal of the sum


@dataclass(frozen=True)
class Segment:
    """`count` row blocks of a head that are alike.

    Parameters
    ----------
    held
        Keys of the head that the weight buffer holds when the first of them begins.
    ends_head
        Whether the last of them is the head's.
    """

    rows: int
    keys: int
    count: int
    held: int
    ends_head: bool


@dataclass(frozen=True)
class AttentionPace:
    """What the PEs tell of both products."""

    scores: Pace
    context: Pace


@dataclass(frozen=True)
class AttentionStreams:
    """What the units must know of both products, of the softmax's weights on their way back, and of the outputs."""

    scores: Stream
    context: Stream
    weights: Stream
    outputs: Stream


@dataclass(frozen=True)
class AttentionPlan:
    """What the loops run over.

    Parameters
    ----------
    row_block, key_block
        Rows and keys of a block at most.
    resident
        Whether a head's keys and values stay in the weight buffer.
    """

    work: FusedAttention
    pace: AttentionPace
    tile_rows: int
    tile_columns: int
    group: int
    row_block: int
    key_block: int
    resident: bool

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The row blocks of a head, in order."""
        found: list[Segment] = []
        for block in self.work.blocks:
            whole, rest = divmod(block.rows, self.row_block)
            for rows, times in ((self.row_block, whole), (rest, 1)):
                if rows and times:
                    held = found[-1].keys if found and self.resident else 0
                    found.append(Segment(rows, block.keys, times * block.count, held, ends_head=False))
        return (*found[:-1], replace(found[-1], ends_head=True))

    def key_blocks(self, keys: int) -> int:
        return ceil_div(keys, self.key_block)

    def key_block_size(self, keys: int, index: int) -> int:
        return min(self.key_block, keys - index * self.key_block)

    def loads(self, keys: int, held: int, index: int) -> int:
        """Keys of a block that the weight buffer does not hold yet."""
        end = min((index + 1) * self.key_block, keys)
        return max(end - max(index * self.key_block, held), 0)

    @cached_property
    def key_bytes(self) -> int:
        """Of one token's key of a head, in DRAM and in the weight buffer."""
        return ceil_div(self.work.cache.column_bits(self.work.head_size), 8)

    @cached_property
    def value_bytes(self) -> int:
        """Of one token's value of a head."""
        return ceil_div(self.work.cache.column_bits(self.work.value_size), 8)

    @cached_property
    def head_groups(self) -> int:
        """Groups of a head's queries."""
        return ceil_div(self.work.head_size, self.group)

    def query_bytes(self, rows: int) -> tuple[int, int]:
        """Of a block of queries: in the activation buffer, and beside it."""
        shape = (rows, self.head_groups, self.work.head_size)
        queries = self.pace.scores.activations
        return queries.data_bytes(*shape), queries.side_bytes(*shape)

    def weight_bytes(self, rows: int, keys: int) -> tuple[int, int]:
        """Of the softmax's weights of some rows to some keys, likewise."""
        shape = (rows, ceil_div(keys, self.group), keys)
        weights = self.pace.context.activations
        return weights.data_bytes(*shape), weights.side_bytes(*shape)

    @cached_property
    def held_bytes(self) -> tuple[int, int]:
        """Of the activation buffer, and beside it, that scores, weights and outputs take of a row block."""
        height = min(self.tile_rows, self.row_block)
        scores = WAITING_TILES * height * max(self.key_block, self.work.value_size) * SCORE_BYTES
        weights, side = self.weight_bytes(self.weight_tiles * height, self.key_block)
        return scores + weights + self.row_block * self.work.value_size * SUM_BYTES, side

    @property
    def weight_tiles(self) -> int:
        """Row tiles of P that there is room for."""
        return ceil_div(self.row_block, self.tile_rows) + FURTHER_WEIGHT_TILES

    @cached_property
    def step_bits(self) -> int:
        """Bits of a column for a pass over a group: a digit of each key or value."""
        return self.group * ceil_div(self.work.cache.read_bits, self.pace.scores.passes)

    @cached_property
    def streams(self) -> AttentionStreams:
        """A key's scale stands at the weight port; those of the values are in the softmax's weights."""
        scores, context, label = self.pace.scores, self.pace.context, self.work.module
        encoded = not isinstance(context.activations, Fp16Activations)
        return AttentionStreams(
            Stream(scores.words, self.step_bits, self.work.cache.side_bits(self.group), label=label, attention=True),
            Stream(context.words, self.step_bits, label=label, attention=True),
            Stream(compressed_rows=context.words if encoded else 0),
            Stream(
                output=context.output,
                output_group=context.output_group,
                compressed_rows=context.compressed_rows or 0,
                lane=Lane.FP16_ATTENTION if context.compressed_rows is None else Lane.ENCODED_ATTENTION,
            ),
        )

    def flows(self, arch: Hardware) -> bool:
        """Whether the column tiles of a row tile follow one another with nothing to wait for.

        Weights never take their port longer than a group computes, a second register takes a tile while the one before
        drains, and that is over before the tile is.
        """
        port, mxu, activations = arch.weight_dispatcher.port_bits, arch.mxu, arch.activation_dispatcher
        block = ceil_div(min(self.tile_columns, mxu.columns) * self.step_bits, port)
        drain = ceil_div(mxu.rows * mxu.columns * FP16_BITS, arch.collector.port_bits)
        groups = {
            self.pace.scores: self.head_groups * self.pace.scores.passes,
            self.pace.context: self.pace.context.passes,
        }
        for pace, passes in groups.items():
            word = ceil_div(pace.word_bits, activations.port_bits)  # of one row: at least
            if block > pace.words * word or mxu.pipeline_cycles + drain > passes * pace.words * word:
                return False
        return mxu.output_registers > 1

    @property
    def fold(self) -> bool:
        """Whether V's scales are multiplied into the softmax's weights."""
        return self.work.cache.integers

    def maximum_operations(self, rows: int, keys: int) -> int:
        """Of the first pass over a row tile of scores."""
        a_score = MAXIMUM_OPERATIONS + SOFT_CAP_OPERATIONS * self.work.capped
        return rows * (a_score * keys + RESCALE_ROW_OPERATIONS)

    def weight_operations(self, rows: int, keys: int) -> int:
        """Of the second pass, over some of the keys."""
        return rows * keys * (WEIGHT_OPERATIONS + FOLD_OPERATIONS * self.fold)

    def score_bits(self, rows: int, keys: int) -> tuple[int, int]:
        """Bits of the activation buffer read by the vector unit, and written for it, of a row tile of scores.

        Scores come in once and are read by both passes; P goes out; V's scales are read.
        """
        data, side = self.weight_bytes(rows, keys)
        scores = rows * keys * FP16_BITS
        scales = self.work.cache.side_bits(self.work.value_size) * keys if self.fold else 0
        return 2 * scores + scales, scores + 8 * (data + side)

    def output_bits(self, rows: int, *, several: bool) -> tuple[int, int]:
        """Likewise of a row tile of partial outputs: those in FP16, and the outputs so far in FP32 in and out."""
        values = rows * self.work.value_size
        sums = 8 * SUM_BYTES * values if several else 0
        return values * FP16_BITS + sums, values * FP16_BITS + sums


def make_attention_plan(arch: Hardware, work: FusedAttention, pace: AttentionPace) -> AttentionPlan:
    """Cut an attention: the most rows, and then the longest key blocks, that fit the buffers.

    Raises
    ------
    InputError
        Where not even one row tile and one group of keys fit; says what is needed and what there is.
    """
    group, rows = arch.mxu.dot_length, max(block.rows for block in work.blocks)
    longest = ceil_div(max(block.keys for block in work.blocks), group) * group
    most_keys = min(LARGEST_KEY_BLOCK // group * group, longest)
    plan = AttentionPlan(work, pace, arch.mxu.rows, arch.tile_columns, group, rows, most_keys, resident=False)
    while True:
        for keys in range(most_keys, 0, -group):
            cut = replace(plan, key_block=keys)
            if _fits(arch, cut):
                return replace(cut, resident=_stays(arch, cut))
        if plan.row_block <= arch.mxu.rows:
            raise _too_small(arch, cut)
        halved = ceil_div(ceil_div(plan.row_block, 2), arch.mxu.rows) * arch.mxu.rows
        plan = replace(plan, row_block=halved if halved < plan.row_block else arch.mxu.rows)


def _needed(plan: AttentionPlan) -> tuple[int, int, int]:
    """Bytes of the activation buffer, beside it, and of the weight buffer."""
    (data, side), (query, query_side) = plan.held_bytes, plan.query_bytes(plan.row_block)
    return data + query, side + query_side, LOADED_BLOCKS * plan.key_block * max(plan.key_bytes, plan.value_bytes)


def _fits(arch: Hardware, plan: AttentionPlan) -> bool:
    data, side, weights = _needed(plan)
    activation = arch.buffers.activation
    return data <= activation.bytes and side <= activation.exponent_bytes and weights <= arch.buffers.weight.bytes


def _stays(arch: Hardware, plan: AttentionPlan) -> bool:
    """Whether a head's keys and values fit, and row blocks only ever see more of them."""
    keys = [block.keys for block in plan.work.blocks]
    fits = keys[-1] * (plan.key_bytes + plan.value_bytes) <= arch.buffers.weight.bytes
    return fits and not plan.work.sliding and keys == sorted(keys)


def _too_small(arch: Hardware, plan: AttentionPlan) -> Exception:
    data, side, weights = _needed(plan)
    activation = arch.buffers.activation
    what = f"{plan.row_block} rows and {plan.key_block} keys of {plan.work.name}"
    for field, needed, available in (
        ("buffers.activation.bytes", data, activation.bytes),
        ("buffers.activation.exponent_bytes", side, activation.exponent_bytes),
    ):
        if needed > available:
            return arch.refuse(field, f"too small for {what}", needed=f"{needed} bytes", available=f"{available} bytes")
    available = arch.buffers.weight.bytes
    return arch.refuse(
        "buffers.weight.bytes", f"too small for {what}", needed=f"{weights} bytes", available=f"{available} bytes"
    )
