"""How an operand of a GeMM lies in memory: bytes of a block of it, on chip and in DRAM.

A block is `lanes` rows of activations, or columns of weights, times a stretch of K: `values` values in `groups` groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sim.formats.weight import WeightFormat
from sim.formats.widths import EXPONENT_BITS, FP16_BITS


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient, rounded up."""
    return -(-dividend // divisor)


class Operand(Protocol):
    """Bytes of a block, by the memory they stand in."""

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        """Bytes in the operand's buffer."""
        ...

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        """Bytes in a memory beside the buffer (shared exponents)."""
        ...


@dataclass(frozen=True)
class AndaActivations:
    """A sign plane and `mantissa_bits` planes, whole groups always; 5-bit exponents in a memory of their own."""

    mantissa_bits: int
    group_size: int
    exponent_bits: int = EXPONENT_BITS

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        return lanes * groups * self.group_size * (self.mantissa_bits + 1) // 8

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return ceil_div(lanes * groups * self.exponent_bits, 8)


@dataclass(frozen=True)
class Fp16Activations:
    """Two bytes a value."""

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        return lanes * values * 2

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return 0


@dataclass(frozen=True)
class TokenActivations:
    """Integers of `bits`, and an FP16 scale a token, which comes with every chunk of its values."""

    bits: int

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        return lanes * (ceil_div(values * self.bits, 8) + FP16_BITS // 8)

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return 0


@dataclass(frozen=True)
class GroupedWeights:
    """Columns as their format stores them, with every scale and offset that the block begins."""

    format: WeightFormat

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        return ceil_div(lanes * self.format.column_bits(values), 8)

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return 0


@dataclass(frozen=True)
class TokenHeads:
    """Keys or values as they are cached: each head of a token under what its format stores beside it."""

    format: WeightFormat
    head_size: int

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        """With their share of a head's scale, where only some of its values are in the block."""
        return ceil_div(lanes * values * self.format.column_bits(self.head_size), 8 * self.head_size)

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return 0


@dataclass(frozen=True)
class RawBytes:
    """A stretch of memory: one byte a value."""

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        return lanes * values

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return 0
