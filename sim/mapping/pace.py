"""What a kind of PE tells the units of one GeMM: the words of a group, and how operands and outputs lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

from sim.mapping.operands import Operand


@dataclass(frozen=True)
class Pace:
    """One GeMM's pace.

    Parameters
    ----------
    words
        Activation words of a pass over a group: the cycles that a PE takes for it.
    passes
        How often a group's activations go through: once for each digit of its weights.
    word_bits
        Bits of a word, of one row.
    activations, output
        How both lie in memory.
    output_group
        Values of a group of the output.
    token_scale_bits
        Of a token's scale, which comes beside the first word of a tile; 0: there is none.
    compressed_rows
        Rows of an encoded group of the output, sign and planes; None where outputs leave as FP16.
    """

    words: int
    word_bits: int
    activations: Operand
    output: Operand
    output_group: int
    compressed_rows: int | None
    passes: int = 1
    token_scale_bits: int = 0
