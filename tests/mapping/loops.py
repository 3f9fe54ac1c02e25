"""The loop nest once more, as plain loops over ranges: which outputs and values of K each step of a plan is about.

Nothing here reads a cursor. `shapes` and `plans` draw what is ragged in every direction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st

from sim.arch.load import load_arch
from sim.arch.schema import Arch, Schedule
from sim.mapping.operands import AndaActivations, Fp16Activations, GroupedWeights, Operand
from sim.mapping.plan import Plan, make_plan
from sim.workload.gemm import INT4, Gemm

GROUP = 32
AMPLE = 10**9


class Shape(NamedTuple):
    """Sizes a plan is made of."""

    m: int
    k: int
    n: int
    rows: int
    columns: int
    token_block: int
    output_block: int
    k_block: int
    order: str
    mantissa_bits: int | None

    @property
    def gemm(self) -> Gemm:
        return Gemm("drawn", "other", self.m, self.k, self.n, mantissa_bits=self.mantissa_bits)

    @property
    def activations(self) -> Operand:
        return Fp16Activations() if self.mantissa_bits is None else AndaActivations(self.mantissa_bits, GROUP)

    @property
    def weights(self) -> Operand:
        return GroupedWeights(INT4)


class Step(NamedTuple):
    """Rows, columns and values of K of an operation, as ranges in the whole GeMM, and where its tile lies."""

    rows: range
    columns: range
    values: range
    block: tuple[int, int]
    """Index of the outer and of the inner block."""


@cache
def base() -> Arch:
    return load_arch("anda-hpca25")


def machine(
    shape: Shape, activation_bytes: int = AMPLE, weight_bytes: int = AMPLE, exponent_bytes: int = AMPLE
) -> Arch:
    """A machine of the shape's tiles with buffers of a size."""
    arch = base()
    buffers = arch.buffers.model_copy(
        update={
            "activation": arch.buffers.activation.model_copy(
                update={"bytes": activation_bytes, "exponent_bytes": exponent_bytes}
            ),
            "weight": arch.buffers.weight.model_copy(update={"bytes": weight_bytes}),
        }
    )
    mxu = arch.mxu.model_copy(update={"rows": shape.rows, "columns": shape.columns, "dot_length": GROUP})
    return arch.model_copy(update={"buffers": buffers, "mxu": mxu})


def plan_of(
    shape: Shape, activation_bytes: int = AMPLE, weight_bytes: int = AMPLE, exponent_bytes: int = AMPLE
) -> Plan:
    schedule = Schedule(
        token_block=shape.token_block,
        output_block=shape.output_block,
        k_block=shape.k_block,
        order=shape.order,  # type: ignore[arg-type]
    )
    arch = machine(shape, activation_bytes, weight_bytes, exponent_bytes)
    return make_plan(arch, shape.gemm, shape.activations, shape.weights, schedule)


def cut(whole: range, size: int) -> list[range]:
    """Ranges of a size that cover a range, the last one what is left."""
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def tiles(shape: Shape) -> Iterator[tuple[tuple[int, int], range, range]]:
    """Block indices, rows and columns of each output tile, in order."""
    token_blocks = cut(range(shape.m), shape.token_block)
    output_blocks = cut(range(shape.n), shape.output_block)
    tokens_outer = shape.order == "tokens_outer"
    outer, inner = (token_blocks, output_blocks) if tokens_outer else (output_blocks, token_blocks)
    for i, outside in enumerate(outer):
        for j, inside in enumerate(inner):
            tokens, outputs = (outside, inside) if tokens_outer else (inside, outside)
            for rows in cut(tokens, shape.rows):
                for columns in cut(outputs, shape.columns):
                    yield (i, j), rows, columns


def chunks(shape: Shape) -> list[range]:
    return cut(range(shape.k), shape.k_block)


def block_bytes(shape: Shape, side: str) -> tuple[int, int]:
    """Data and side bytes of the largest block of an operand, chunk by chunk of each of its tiles."""
    operand = shape.activations if side == "activations" else shape.weights
    size, block, tile = (
        (shape.m, shape.token_block, shape.rows)
        if side == "activations"
        else (shape.n, shape.output_block, shape.columns)
    )
    pieces = [
        (len(lanes), -(-len(values) // GROUP), len(values))
        for lanes in cut(range(min(block, size)), tile)
        for values in chunks(shape)
    ]
    return sum(operand.data_bytes(*piece) for piece in pieces), sum(operand.side_bytes(*piece) for piece in pieces)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Few tiles and blocks of every kind: one, several, ragged."""
    rows, columns = draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from([8, 12, 16, 32]))
    run = math.lcm(GROUP, columns)
    return Shape(
        m=draw(st.integers(1, 4 * rows + 3)),
        k=draw(st.integers(1, 5 * GROUP)),
        n=draw(st.integers(1, 3 * run)),
        rows=rows,
        columns=columns,
        token_block=draw(st.integers(rows, 3 * rows)),
        output_block=run * draw(st.integers(1, 2)),
        k_block=GROUP * draw(st.integers(1, 4)),
        order=draw(st.sampled_from(["tokens_outer", "outputs_outer"])),
        mantissa_bits=draw(st.sampled_from([None, 1, 7, 16])),
    )


@st.composite
def plans(draw: st.DrawFn) -> tuple[Shape, Plan]:
    """A shape, and its plan with either operand resident or streamed."""
    shape = draw(shapes())
    sizes = {}
    for side, key in (("activations", "activation_bytes"), ("weights", "weight_bytes")):
        whole, _ = block_bytes(shape, side)
        sizes[key] = whole if draw(st.booleans()) else max(whole - 1, tile_chunk_bytes(shape, side))
    return shape, plan_of(shape, **sizes)


def tile_chunk_bytes(shape: Shape, side: str) -> int:
    """Data bytes of the largest chunk of one tile."""
    operand = shape.activations if side == "activations" else shape.weights
    lanes = min(shape.rows, shape.token_block, shape.m) if side == "activations" else min(shape.columns, shape.n)
    values = len(chunks(shape)[0])
    return operand.data_bytes(lanes, -(-values // GROUP), values)
