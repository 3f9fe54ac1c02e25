"""The formats and the contract once more, in Python integers and fractions, from their definitions.

Nothing here imports the code under test: FP16 is taken apart by `struct`, rounding is done on fractions.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

FINITE_CODES = [code for code in range(1 << 16) if (code >> 10) % 32 != 31]


def value(code: int) -> float:
    """The value of an FP16 code."""
    return struct.unpack("<e", struct.pack("<H", code))[0]


def steps(code: int) -> int:
    """The magnitude of a finite FP16 code, counted in 2^-24, FP16's smallest step."""
    return int(abs(value(code)) * 2**24)


def exponent(codes: Sequence[int]) -> int:
    """The shared exponent: the biased exponent of the largest magnitude, 1 below 2^-14."""
    largest = max(abs(value(code)) for code in codes)
    # frexp gives 2^-14, the least number of biased exponent 1, as 0.5 * 2^-13.
    return max(1, math.frexp(largest)[1] + 14) if largest else 1


def units_within(steps: int, shared: int, mantissa_bits: int) -> int:
    """How many whole units of 2^(shared - 15 - (M - 1)) so many steps hold: what truncation keeps."""
    # steps * 2^-24 / 2^(shared - 15 - M + 1) = steps * 2^M / 2^(shared + 10)
    return (steps << mantissa_bits) >> (shared + 10)


def integers(group: Sequence[int], mantissa_bits: int) -> list[int]:
    """Mantissas of a group of FP16 codes, with their signs."""
    shared = exponent(group)
    return [(-1) ** (code >> 15) * units_within(steps(code), shared, mantissa_bits) for code in group]


def unit(shared: int, mantissa_bits: int) -> Fraction:
    return Fraction(2) ** (shared - 15 - (mantissa_bits - 1))


def rounded(number: Fraction, precision: int, least_exponent: int, largest: Fraction) -> Fraction | float:
    """To the nearest binary number of `precision` bits, ties to even; infinite from half a step above `largest`."""
    if number == 0:
        return Fraction(0)
    magnitude = abs(number)
    power = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** power > magnitude:
        power -= 1
    step = Fraction(2) ** max(power - precision + 1, least_exponent)
    result = round(magnitude / step) * step  # Fraction rounds a half to even
    if result > largest:
        return math.copysign(math.inf, number)
    return result if number > 0 else -result


def binary32(number: Fraction) -> Fraction:
    result = rounded(number, 24, -149, (2 - Fraction(2) ** -23) * 2**127)
    assert isinstance(result, Fraction), "the contract never reaches binary32's infinity"
    return result


def binary16(number: Fraction) -> Fraction | float:
    return rounded(number, 11, -24, Fraction(65504))


def groups(row: Sequence[int], group_size: int) -> list[list[int]]:
    """A row of K cut into groups, the last filled up with the code of zero."""
    filled = [*row, *[0] * (-len(row) % group_size)]
    return [filled[at : at + group_size] for at in range(0, len(filled), group_size)]


@dataclass(frozen=True)
class Column:
    """A row of activations, as FP16 codes, and a column of weights, as integers with a scale for each `group_size`."""

    activations: Sequence[int]
    weights: Sequence[int]
    scales: Sequence[Fraction]
    group_size: int

    def scale(self, k: int) -> Fraction:
        return self.scales[k // self.group_size]

    def dots(self, mantissa_bits: int, group_size: int) -> Iterator[tuple[int, Fraction, Fraction]]:
        """Of each group: the exact integer product, what its unit is worth, and the scale."""
        for g, group in enumerate(groups(self.activations, group_size)):
            weights = self.weights[g * group_size : (g + 1) * group_size]
            dot = sum(m * w for m, w in zip(integers(group, mantissa_bits), weights, strict=False))
            yield dot, unit(exponent(group), mantissa_bits), self.scale(g * group_size)


def gemm(column: Column, mantissa_bits: int, group_size: int) -> Fraction:
    accumulator = Fraction(0)
    for dot, worth, scale in column.dots(mantissa_bits, group_size):
        term = binary32(binary32(Fraction(dot)) * binary32(worth * scale))
        accumulator = binary32(accumulator + term)
    return accumulator


def gemm_through_fp16(column: Column, mantissa_bits: int, group_size: int) -> Fraction:
    """`gemm` with each group's product converted to FP16; the products are to stay within it."""
    accumulator = Fraction(0)
    for dot, worth, scale in column.dots(mantissa_bits, group_size):
        term = binary32(Fraction(binary16(dot * worth)) * scale)
        accumulator = binary32(accumulator + term)
    return accumulator


def fp_int(column: Column, group_size: int) -> Fraction:
    accumulator = Fraction(0)
    for at in range(0, len(column.activations), group_size):
        pairs = zip(column.activations[at : at + group_size], column.weights[at : at + group_size], strict=True)
        dot = sum((Fraction(value(code)) * w for code, w in pairs), Fraction(0))
        accumulator = binary32(accumulator + binary32(binary32(dot) * column.scale(at)))
    return accumulator


def fp_fp(column: Column) -> Fraction:
    accumulator = Fraction(0)
    for k, (code, w) in enumerate(zip(column.activations, column.weights, strict=True)):
        half = Fraction(binary16(w * column.scale(k)))
        accumulator = binary32(accumulator + binary32(Fraction(value(code)) * half))
    return accumulator


def token_scale(codes: Sequence[int], bits: int) -> int:
    """The FP16 code of the scale of a token: the smallest, above 0, that times 2^(bits - 1) - 1 reaches the largest."""
    largest, count = max((steps(code) for code in codes), default=0), 2 ** (bits - 1) - 1
    code = 1
    for place in reversed(range(15)):  # codes are ordered as their values: by halving
        if code + (1 << place) < 0x7C00 and count * steps(code + (1 << place) - 1) < largest:
            code += 1 << place
    return code


def token_integers(codes: Sequence[int], bits: int) -> list[int]:
    """The integers of a token: halves go away from zero."""
    scale = steps(token_scale(codes, bits))
    return [(-1) ** (code >> 15) * ((2 * steps(code) + scale) // (2 * scale)) for code in codes]


def token_gemm(
    integers: Sequence[int], scale: Fraction, weights: Sequence[int], sums: Sequence[tuple[int, int, Fraction]]
) -> Fraction:
    """A token times a column; `sums` say where each int32 sum begins and ends, and its scale."""
    accumulator = Fraction(0)
    for begin, end, of_weights in sums:
        total = sum(a * w for a, w in zip(integers[begin:end], weights[begin:end], strict=True))
        assert -(2**31) <= total < 2**31
        accumulator = binary32(accumulator + binary32(binary32(Fraction(total)) * of_weights))
    return binary32(accumulator * scale)
