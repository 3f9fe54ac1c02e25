"""What the units must know of a GeMM beside the shapes of its tiles; it travels with every operation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from sim.mapping.operands import Operand, RawBytes
from sim.mapping.pace import Pace
from sim.mapping.plan import Plan

BYTES = RawBytes()


class Lane(IntEnum):
    """A way that outputs take; on each they finish in the order of the program."""

    GEMM = 0
    ENCODED_ATTENTION = 1
    FP16_ATTENTION = 2
    VECTOR = 3
    IN_PLACE = 4
    """Vector work that moves no bytes: it is done when its unit is."""


class Awaited(NamedTuple):
    """So many outputs of a lane, from the start of the program; nothing is waited for where they are none."""

    lane: Lane = Lane.GEMM
    outputs: int = 0


@dataclass(frozen=True, eq=False)
class Stream:
    """One GeMM's, or that of several that no unit can tell apart; compared by identity.

    Parameters
    ----------
    words
        Activation words of a pass over a group: the PE's cycles.
    step_bits, side_bits
        Bits of a column's weights in such a pass, and of the scales and offsets beside them.
    output
        How the output lies in memory.
    output_group
        Values of a group of it.
    compressed_rows
        Rows of an encoded group of it, sign and planes; 0 where it leaves as FP16.
    label
        Under which the MXU counts its time, in programs.
    filled
        Weights of a column in a pass that are filled up, as only some of their planes are read.
    parts, reduction_cycles
        MXUs that share a tile by splitting K, and the time in which their sums become one.
    passes
        How often a group's activations go through.
    roots
        MXUs that outputs leave from; 0: all.
    mxu_rows
        Rows of one of several MXUs that split the rows of a tile; 0: they do not.
    lane
        That the output takes.
    attention
        Whether it is of attention, whose heads take a smaller part of the weight buffer than blocks do.
    """

    words: int = 0
    step_bits: int = 0
    side_bits: int = 0
    output: Operand = BYTES
    output_group: int = 1
    compressed_rows: int = 0
    label: str = ""
    filled: int = 0
    parts: int = 1
    reduction_cycles: int = 0
    passes: int = 1
    roots: int = 0
    mxu_rows: int = 0
    lane: Lane = Lane.GEMM
    attention: bool = False

    def fullest(self, rows: int) -> int:
        """Rows of a tile in the MXU that has the most of them."""
        return min(rows, self.mxu_rows) if self.mxu_rows else rows

    @classmethod
    def of(cls, plan: Plan, pace: Pace) -> Stream:
        """Of a GeMM that is cut for a machine."""
        return cls(
            words=pace.words,
            step_bits=plan.step_bits,
            side_bits=plan.side_bits,
            output=pace.output,
            output_group=pace.output_group,
            compressed_rows=pace.compressed_rows or 0,
            parts=plan.split.k,
            reduction_cycles=plan.reduction_cycles,
            passes=plan.passes,
            roots=plan.roots,
            mxu_rows=plan.mxu_rows,
            filled=plan.group_size if plan.gemm.weights.filled else 0,
        )


RAW = Stream()
"""Of work that moves bytes as they are, and of walks over the shapes of tiles alone."""
