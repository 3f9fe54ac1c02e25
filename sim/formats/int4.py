"""INT4 weights in groups, each with an FP16 scale and a 4-bit zero point: integers (sim/formats/integer.py) of 4 bits.

symmetric   zero = 8;  code ^ 8 is then the two's complement
memory      codes two a byte, the even one low; scales 16 bits, zeros two a byte: 4 + 20/128 bits a weight
"""

from __future__ import annotations

from fractions import Fraction

from sim.formats.integer import IntegerTensor, Scheme, check_group_size
from sim.formats.registry import FormatCard

__all__ = ["GROUP_BITS", "Int4Tensor", "Scheme", "bits_a_value"]

GROUP_BITS = 16 + 4


def bits_a_value(group_size: int = 128) -> Fraction:
    """Bits a weight, with its share of scale and zero point."""
    return 4 + Fraction(GROUP_BITS, group_size)


FORMAT = FormatCard("int4", "4-bit weights, FP16 scale and 4-bit zero point a group", lambda _: bits_a_value())


class Int4Tensor(IntegerTensor):
    """Integers of 4 bits with zero points, in groups of a multiple of 16."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits != 4 or self.minimums is not None:
            raise ValueError("not integers of 4 bits with zero points")
        check_group_size(self.group_size)
