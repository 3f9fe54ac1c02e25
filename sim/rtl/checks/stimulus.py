"""A GeMM on an array: its operations, every beat of its operands, and every bit that must come out.

Operations are those of the simulator's own plan, values those of the PE's own `multiply`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arch.schema import Arch, Schedule
from sim.formats import fp16, groups
from sim.formats.anda import AndaTensor
from sim.formats.block_float import BlockFloat
from sim.formats.integer import IntegerTensor
from sim.formats.token_integer import TokenIntegers
from sim.formats.weight import Grouping
from sim.formats.weights.integer import IntegerWeights
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.nest import TileCursor, TileOp
from sim.mapping.operands import GroupedWeights, ceil_div
from sim.mapping.plan import Plan, make_plan
from sim.mapping.stream import Stream
from sim.rtl.checks.bench import to_bits
from sim.rtl.checks.shape import OP_FIELDS, Shape
from sim.workload.gemm import Gemm

Bits = NDArray[np.bool_]
Half = NDArray[np.float16]
Float32 = NDArray[np.float32]
LARGEST_TAME = 2.0**15
OVERFLOWING = (65519.0, 65521.0, 65528.0, 65535.0)
"""About the number from which FP16 rounds to infinity."""


@dataclass(frozen=True)
class PlacedOperation:
    """An operation and where its tile and its stretch of K begin."""

    op: TileOp
    row: int
    column: int
    group: int


@dataclass(frozen=True)
class Work:
    """A GeMM with its values.

    Attributes
    ----------
    values : (m, K) finite FP16 activations
    weights : (n, K)
    mantissa_bits
        M of encoded activations.
    output_mantissa_bits
        M of encoded outputs, where the array has a compressor.
    """

    shape: Shape
    arch: Arch
    values: Half
    weights: IntegerTensor
    mantissa_bits: int
    output_mantissa_bits: int

    @cached_property
    def gemm(self) -> Gemm:
        """What is asked of the machine."""
        (m, k), (n, _) = self.values.shape, self.weights.shape
        length = self.mantissa_bits if self.shape.encoded else None
        output = self.output_mantissa_bits if self.shape.compressor_lanes else None
        size: Grouping = "channel" if self.weights.scales.shape[-1] == 1 else self.weights.group_size
        stored = IntegerWeights(self.weights.bits, size)
        return Gemm("case", "other", m, k, n, mantissa_bits=length, output_mantissa_bits=output, weights=stored)

    @cached_property
    def plan(self) -> Plan:
        schedule, gemm = self.arch.schedule, self.gemm
        assert isinstance(schedule, Schedule)
        operand, weights = self.shape.pe.activations(gemm.mantissa_bits), GroupedWeights(gemm.weights)
        return make_plan(self.arch, gemm, operand, weights, schedule, self.shape.pe.passes(gemm))

    @property
    def passes(self) -> int:
        """Digits of a weight: each with the activations of its group again."""
        return self.plan.passes

    @property
    def scale_groups(self) -> int:
        """Groups under one scale of the weights; 0: all of K is."""
        return 0 if self.weights.scales.shape[-1] == 1 else self.weights.group_size // self.shape.group_size

    @cached_property
    def words(self) -> int:
        """Activation words of a group."""
        return self.shape.pe.cycles(self.mantissa_bits)

    @cached_property
    def _stream(self) -> Stream:
        rows = self.output_mantissa_bits + 1 if self.shape.compressor_lanes else 0
        return Stream(self.words, self.plan.step_bits, self.plan.side_bits, compressed_rows=rows)

    @cached_property
    def placed(self) -> list[PlacedOperation]:
        """The operations of the plan, in order."""
        found, cursor, plan = [], TileCursor(self.plan, self._stream), self.plan
        while not cursor.done:
            token_block, output_block = cursor.outer, cursor.inner
            if plan.order == "outputs_outer":
                token_block, output_block = output_block, token_block
            row = token_block * plan.tokens.block + cursor.row * plan.tokens.tile
            column = output_block * plan.outputs.block + cursor.column * plan.outputs.tile
            found.append(PlacedOperation(cursor.present(), row, column, cursor.chunk * plan.chunk_groups * plan.passes))
            cursor.step()
        return found

    @property
    def operations(self) -> list[TileOp]:
        return [placed.op for placed in self.placed]

    @cached_property
    def totals(self) -> Float32:
        """(m, n) as the machine's PE says that it multiplies."""
        self.shape.pe.require_values()
        with np.errstate(over="ignore"):
            return self.shape.pe.multiply(self.values, self.weights, self.mantissa_bits)

    @cached_property
    def outputs(self) -> Half:
        """(m, n), rounded."""
        with np.errstate(over="ignore"):
            return self.totals.astype(np.float16)

    @cached_property
    def _aligned(self) -> BlockFloat:
        mantissa_bits = self.arch.mxu.mantissa_bits or self.mantissa_bits
        return AndaTensor.encode(self.values, mantissa_bits, self.shape.group_size)

    @cached_property
    def _tokens(self) -> TokenIntegers:
        return TokenIntegers.quantise(self.values, self.shape.pe.activation_bits(None))

    @cached_property
    def word_bits(self) -> Bits:
        """(m, groups x digits, words, word bits)"""
        return self._words_of_groups().repeat(self.passes, axis=1)

    def _words_of_groups(self) -> Bits:
        if self.shape.encoded:
            assert isinstance(self._aligned, AndaTensor)
            return planes(self._aligned)
        slots: NDArray[Any]
        slot_bits = 16
        if self.shape.pe.quantised:
            slots, slot_bits = groups.split(self._tokens.codes, self.shape.group_size), self._tokens.bits
        elif self.arch.mxu.mantissa_bits:
            slots = self._aligned.mantissas | self._aligned.signs.astype(np.uint16) << self._aligned.mantissa_bits
        else:
            slots = groups.split(fp16.to_codes(self.values), self.shape.group_size)
        lanes = self.arch.mxu.lanes
        assert lanes is not None
        padded = np.pad(slots, ((0, 0), (0, 0), (0, self.words * lanes - slots.shape[-1])))
        return to_bits(padded.reshape(*slots.shape[:2], self.words, lanes), slot_bits)

    @cached_property
    def side_bits(self) -> Bits:
        """(m, groups x digits, 5 or 16): the exponent of a group, or the scale of a token"""
        if self.shape.pe.quantised:
            scales = to_bits(fp16.to_codes(self._tokens.scales)[:, np.newaxis, np.newaxis], self.shape.side_bits)
            return scales.repeat(self.word_bits.shape[1], axis=1)
        if self.shape.encoded or self.arch.mxu.mantissa_bits:
            return to_bits(self._aligned.exponents[..., np.newaxis], EXPONENT_BITS).repeat(self.passes, axis=1)
        return np.zeros((*self.word_bits.shape[:2], EXPONENT_BITS), np.bool_)

    def op_bits(self) -> Bits:
        """(operations, bits of op_t)"""
        columns = []
        for name, width in OP_FIELDS.items():
            values = [op.run_columns > 0 if name == "run_closes" else getattr(op, name) for op in self.operations]
            columns.append(to_bits(np.array(values, np.int64)[:, np.newaxis], width))
        return np.concatenate(columns, axis=1)

    @cached_property
    def weight_signals(self) -> dict[str, Bits]:
        """Beats of all weight blocks, by signal."""
        shape, matched = self.shape, _digit_by_digit(self.weights.regrouped(self.shape.group_size), self.passes)
        codes: list[Bits] = []
        scales: list[Bits] = []
        zeros: list[Bits] = []
        for placed in self.placed:
            op = placed.op
            columns = slice(placed.column, placed.column + op.columns)
            span = slice(placed.group, placed.group + op.groups)
            beats = shape.weight_beats(op.columns)
            block = matched.codes[columns, span].transpose(1, 0, 2).reshape(op.groups, -1)
            codes.append(_beats(to_bits(block, shape.code_bits), beats, shape.weight_port))
            for parts, values, width in (
                (scales, fp16.to_codes(matched.scales), 16),
                (zeros, matched.zeros, shape.code_bits),
            ):
                side = np.zeros((op.groups, beats, shape.columns), np.uint16)
                side[:, 0, : op.columns] = values[columns, span].T
                parts.append(to_bits(side, width).reshape(op.groups * beats, -1))
        return {
            "weight_codes_i": np.concatenate(codes),
            "weight_scales_i": np.concatenate(scales),
            "weight_zeros_i": np.concatenate(zeros),
        }

    @cached_property
    def activation_signals(self) -> dict[str, Bits]:
        """Beats of all activation words, by signal."""
        port, exponent_port = self.shape.activation_port, self.shape.exponent_beat_bits
        words, exponents = [], []
        for placed in self.placed:
            op = placed.op
            rows, span = slice(placed.row, placed.row + op.rows), slice(placed.group, placed.group + op.groups)
            block = self.word_bits[rows, span].transpose(1, 2, 0, 3).reshape(op.groups, self.words, -1)
            side = self.side_bits[rows, span].transpose(1, 0, 2).reshape(op.groups, -1)
            first, beats = self.word_beats(op)
            total = first + (self.words - 1) * beats
            stream = np.zeros((op.groups, total, port), np.bool_)
            stream[:, :beats] = _beats(block[:, 0], beats, port).reshape(op.groups, beats, port)
            if self.words > 1:
                rest = _beats(block[:, 1:].reshape(op.groups * (self.words - 1), -1), beats, port)
                stream[:, first:] = rest.reshape(op.groups, -1, port)
            side_stream = np.zeros((op.groups, total, exponent_port), np.bool_)
            side_stream[:, :first] = _beats(side, first, exponent_port).reshape(op.groups, first, -1)
            words.append(stream.reshape(-1, port))
            exponents.append(side_stream.reshape(-1, exponent_port))
        return {"activation_i": np.concatenate(words), "activation_exponents_i": np.concatenate(exponents)}

    def word_beats(self, op: TileOp) -> tuple[int, int]:
        """Beats of the first word of a group, with what stands beside it, and of each other word."""
        beats = ceil_div(op.rows * self.shape.pe.word_bits, self.shape.activation_port)
        return max(beats, ceil_div(op.rows * self.shape.side_bits, self.shape.exponent_beat_bits)), beats

    def working(self) -> Bits:
        """(words, rows x columns): the PEs of the array that take each word."""
        rows, columns = np.arange(self.shape.rows)[:, np.newaxis], np.arange(self.shape.columns)
        parts = [
            np.tile(((rows < op.rows) & (columns < op.columns)).reshape(1, -1), (op.groups * self.words, 1))
            for op in self.operations
        ]
        return np.concatenate(parts)

    def closing(self) -> Iterator[PlacedOperation]:
        """The operations that finish a tile."""
        return (placed for placed in self.placed if placed.op.closes_tile)

    def output_bits(self) -> Bits:
        """(beats, port bits): what the collector hands on."""
        beats = []
        for placed in self.closing():
            op = placed.op
            tile = np.zeros((op.rows, self.shape.columns), np.uint16)
            part = self.outputs[placed.row : placed.row + op.rows, placed.column : placed.column + op.columns]
            tile[:, : op.columns] = fp16.to_codes(np.ascontiguousarray(part))
            count = self.shape.output_beats(op.rows)
            beats.append(_beats(to_bits(tile.reshape(1, -1), 16), count, self.shape.collector_port))
        return np.concatenate(beats)

    def encoded_rows(self) -> tuple[Bits, NDArray[np.uint8]]:
        """(rows, lanes x group size) and the exponents (rows, lanes) of all runs; 0 for other than sign rows."""
        lanes, group, length = self.shape.compressor_lanes, self.shape.group_size, self.output_mantissa_bits
        rows, exponents = [], []
        for placed in self.closing():
            op = placed.op
            if not op.run_columns:
                continue
            end = placed.column + op.columns
            block = np.zeros((ceil_div(op.rows, lanes) * lanes, group), np.float16)
            block[: op.rows, : op.run_columns] = self.outputs[
                placed.row : placed.row + op.rows, end - op.run_columns : end
            ]
            encoded = AndaTensor.encode(block, length, group)
            bits = planes(encoded)[:, 0].reshape(-1, lanes, length + 1, group)
            rows.append(bits.transpose(0, 2, 1, 3).reshape(-1, lanes * group))
            side = np.zeros((len(bits), length + 1, lanes), np.uint8)
            side[:, 0] = encoded.exponents.reshape(-1, lanes)
            exponents.append(side.reshape(-1, lanes))
        return np.concatenate(rows), np.concatenate(exponents)


def planes(tensor: AndaTensor) -> Bits:
    """(..., groups, 1 + M, group size): sign row and mantissa planes, one entry a bit."""
    words = np.ascontiguousarray(tensor.planes().astype("<u8"))
    bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")
    return bits[..., : tensor.group_size].astype(np.bool_)


def _beats(bits: Bits, beats: int, port: int) -> Bits:
    """(items, bits) as (items x beats, port), zeros behind."""
    padded = np.zeros((bits.shape[0], beats * port), np.bool_)
    padded[:, : bits.shape[1]] = bits
    return padded.reshape(-1, port)


def _digit_by_digit(weights: IntegerTensor, count: int) -> IntegerTensor:
    """The `count` digits of every group as groups of their own, low ones first, each with the scale of the weight."""
    parts = [digit for _, digit in weights.slices(-(-weights.bits // count))]
    codes = np.stack([digit.codes for digit in parts], axis=-2).reshape(len(weights.codes), -1, weights.group_size)
    zeros = np.stack([digit.zeros for digit in parts], axis=-1)
    rows = len(codes)
    scales = weights.scales.repeat(count, axis=-1)
    return IntegerTensor(codes, scales, zeros.reshape(rows, -1), codes[0].size, parts[0].bits)


def random_weights(
    rng: np.random.Generator, n: int, k: int, zero_points: bool, tame: bool, bits: int = 4, span: int = 128
) -> IntegerTensor:
    """Random codes, and scales for every `span` of them; tame ones keep outputs within FP16."""
    count, codes_there_are = ceil_div(k, span), 1 << bits
    codes = rng.integers(0, codes_there_are, (n, count * span), dtype=np.uint8)
    middle = np.full((n, count), codes_there_are // 2, np.uint8)
    zeros = rng.integers(0, codes_there_are, (n, count), dtype=np.uint8) if zero_points else middle
    codes = codes.reshape(n, count, span)
    behind = (np.arange(count * span) >= k).reshape(count, span)
    codes = np.where(behind, zeros[..., np.newaxis], codes)
    powers = rng.uniform(-12, -8, (n, count)) if tame else rng.uniform(-24, 4, (n, count))
    scales = np.exp2(powers).astype(np.float16) * rng.choice(np.array([1, 1, 1, -1], np.float16), (n, count))
    return IntegerTensor(codes, scales, zeros, k, bits)


def random_values(rng: np.random.Generator, shape: Sequence[int], tame: bool) -> Half:
    """Random FP16 values: of any finite code, or as activations are, with outliers."""
    if tame or rng.random() < 0.5:
        spread: Any = np.exp2(rng.integers(-6, 3, (1, shape[1])))
        return np.asarray(rng.standard_normal(tuple(shape)) * spread, np.float16)
    codes = rng.integers(0, 1 << 16, tuple(shape), dtype=np.uint16)
    codes = np.where((codes >> 10 & 31) == 31, codes & np.uint16(0x83FF), codes)
    return fp16.from_codes(codes)


def with_small_groups(rng: np.random.Generator, values: Half, group_size: int) -> Half:
    """The values with a third of the groups made of subnormals only."""
    codes = fp16.to_codes(values)
    chosen = rng.random((values.shape[0], ceil_div(values.shape[1], group_size))) < 1 / 3
    small = chosen.repeat(group_size, axis=1)[:, : values.shape[1]]
    return fp16.from_codes(np.where(small, codes & np.uint16(0x83FF), codes))


def aimed(work: Work, rng: np.random.Generator, tame: bool) -> IntegerTensor:
    """The weights with scales that take an output of each column to where FP16 rounds in a way of its own.

    That is subnormal or just below, or, unless tame, about to overflow. The weights are under one scale a column.
    """
    weights = work.weights
    unscaled = replace(work, weights=replace(weights, scales=np.ones_like(weights.scales))).totals
    wanted = np.exp2(rng.uniform(-27, -13, weights.shape[0]))
    if not tame:
        wanted = np.where(rng.random(weights.shape[0]) < 0.5, wanted, rng.choice(OVERFLOWING, weights.shape[0]))
    sums = unscaled[rng.integers(0, unscaled.shape[0], weights.shape[0]), np.arange(weights.shape[0])]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scales = (wanted / sums).astype(np.float16)
        largest = np.abs(scales * unscaled).max(axis=0)
    fits = (
        (scales != 0) & (np.abs(scales) < LARGEST_TAME / (1 << weights.bits)) & ((largest < LARGEST_TAME) | (not tame))
    )
    return replace(weights, scales=np.where(fits, scales, weights.scales[:, 0])[:, np.newaxis])


def cancelling(
    rng: np.random.Generator, values: Half, weights: IntegerTensor, least: float
) -> tuple[Half, IntegerTensor]:
    """Both with every other span of K taking off what the one before adds, but for one small activation.

    What is left shows the last bits of the sums on the way, which rounding to FP16 hides elsewhere.

    Parameters
    ----------
    least
        Of the small activation, relative to the largest of its token.
    """
    span, pairs = weights.codes.shape[-1], weights.length // (2 * weights.codes.shape[-1])
    if not pairs:
        return values, weights
    values, codes = np.abs(values), weights.codes.copy()  # sums are largest where all terms have one sign
    zeros, scales = weights.zeros.copy(), weights.scales.copy()
    for first in range(0, 2 * pairs, 2):
        second = first + 1
        values[:, second * span : (second + 1) * span] = values[:, first * span : second * span]
        zeros[:, second], scales[:, second] = zeros[:, first], scales[:, first]
        middle = zeros[:, first, np.newaxis].astype(np.int16)
        taken = middle - np.abs(codes[:, first] - middle)
        codes[:, second] = np.maximum(taken, np.maximum(0, 2 * middle - (1 << weights.bits) + 1))
        codes[:, first] = 2 * middle - codes[:, second]
    values[:, 2 * pairs * span :] = 0
    token = np.abs(values[rng.integers(values.shape[0])].astype(np.float32))
    size = token[:span]
    place = int(np.argmin(np.where(size <= least * token.max(), np.inf, size)))
    codes[:, 1, place] = zeros[:, 1]
    return values, replace(weights, codes=codes, zeros=zeros, scales=scales)
