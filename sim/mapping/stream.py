"""What the units must know of a GeMM beside the shapes of its tiles; it travels with every operation."""

from __future__ import annotations

from dataclasses import dataclass

from sim.mapping.operands import Operand, RawBytes
from sim.mapping.pace import Pace
from sim.mapping.plan import Plan

BYTES = RawBytes()


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
    """

    words: int = 0
    step_bits: int = 0
    side_bits: int = 0
    output: Operand = BYTES
    output_group: int = 1
    compressed_rows: int = 0
    label: str = ""
    filled: int = 0

    @classmethod
    def of(cls, plan: Plan, pace: Pace) -> Stream:
        """Of a GeMM that is cut for a machine."""
        rows = pace.compressed_rows or 0
        filled = plan.group_size if plan.gemm.weights.filled else 0
        return cls(pace.words, plan.step_bits, plan.side_bits, pace.output, pace.output_group, rows, filled=filled)


RAW = Stream()
"""Of work that moves bytes as they are, and of walks over the shapes of tiles alone."""
