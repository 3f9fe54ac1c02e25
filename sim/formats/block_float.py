"""Block floating point: signed mantissas under one exponent a group. Anda's base; what iFPU and FIGNA multiply.

    value = (-1)^sign * mantissa * 2^(exponent - 15 - (M - 1)),  0 <= mantissa < 2^M,  1 <= M <= 16
    exponent  the largest of the group's FP16 exponents, 1..30; 1 where all are zero
    align     left-justify the 11-bit significand in M bits, shift right by exponent - own, then
              truncate: drop the rest (iFPU, FIGNA, Anda);  nearest: ties to even, 2^M saturates to 2^M - 1
    zero      mantissa 0, its sign kept

iFPU and FIGNA align after the buffer, which stores FP16, to a sign and 13 bits: the Anda paper's table says 14 bits,
its count of bit operations 13. FIGNA-M11 and -M8 align to 11 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16, groups
from sim.formats.registry import FormatCard
from sim.formats.widths import EXPONENT_BITS

Rounding = Literal["truncate", "nearest"]


def bits_a_value(mantissa_bits: int, group_size: int = 64) -> Fraction:
    """Sign, mantissa, and a share of the group's exponent."""
    return mantissa_bits + 1 + Fraction(EXPONENT_BITS, group_size)


FORMAT = FormatCard("block-float", "mantissas of M bits under a group's largest exponent", bits_a_value)


@dataclass(frozen=True, eq=False)
class BlockFloat:
    """A tensor of shape (..., length), its last axis held as (groups, group_size) with zeros after `length`.

    Attributes
    ----------
    signs : bool, (..., groups, group_size)
    exponents : uint8, (..., groups), FP16's biased exponents
    mantissas : uint16, (..., groups, group_size)
    mantissa_bits
        M, 1..16.
    length
        Values in the last axis, K.

    Raises
    ------
    InputError
        For parts out of their ranges.
    ValueError
        For parts whose shapes do not belong together.
    """

    signs: NDArray[np.bool_]
    exponents: NDArray[np.uint8]
    mantissas: NDArray[np.uint16]
    mantissa_bits: int
    length: int

    def __post_init__(self) -> None:
        groups.check(self.length, self.mantissas, self.exponents, self.signs[..., 0])
        _check_sizes(self.mantissa_bits, self.group_size)
        if not ((self.exponents >= 1) & (self.exponents <= 30)).all():
            raise InputError("found one that no finite FP16 value has", field="exponents", facts={"allowed": "1..30"})
        if (self.mantissas >> self.mantissa_bits).any():
            raise InputError(f"found more than {self.mantissa_bits} bits", field="mantissas")

    @classmethod
    def align(
        cls,
        values: NDArray[np.float16],
        mantissa_bits: int = 13,
        group_size: int = 64,
        *,
        rounding: Rounding = "truncate",
        name: str = "activations",
    ) -> Self:
        """Align finite FP16 values of shape (..., K) to their groups' largest exponents.

        Raises
        ------
        InputError
            For Inf or NaN, with `name` and the index; for sizes out of range.
        """
        _check_sizes(mantissa_bits, group_size)
        parts = fp16.fields(values, name)
        exponents = groups.split(parts.exponents, group_size)
        shared = exponents.max(axis=-1)
        # Left-justified in 16 bits, one shift aligns and drops; a shift of 16 or more leaves nothing.
        justified = groups.split(parts.significands << np.uint16(5), group_size)
        shift = shared[..., np.newaxis] - exponents + np.uint8(16 - mantissa_bits)
        mantissas = justified >> shift if rounding == "truncate" else _nearest(justified, shift, mantissa_bits)
        signs = groups.split(parts.signs, group_size)
        return cls(signs, shared, mantissas, mantissa_bits, values.shape[-1])

    @property
    def group_size(self) -> int:
        return int(self.mantissas.shape[-1])

    @property
    def group_count(self) -> int:
        """Groups in all rows together."""
        return self.exponents.size

    @property
    def shape(self) -> tuple[int, ...]:
        return *self.exponents.shape[:-1], self.length

    @property
    def unit_exponents(self) -> NDArray[np.int32]:
        """(..., groups): a mantissa's last bit is worth 2 to this."""
        return self.exponents.astype(np.int32) - 15 - (self.mantissa_bits - 1)

    def integers(self) -> NDArray[np.int32]:
        """(..., groups, group_size): the mantissas with their signs."""
        mantissas = self.mantissas.astype(np.int32)
        return np.where(self.signs, -mantissas, mantissas)

    def decode(self) -> NDArray[np.float64]:
        """The values, exact; a zero keeps its sign."""
        units = np.ldexp(1.0, self.unit_exponents)[..., np.newaxis]
        values = np.multiply(self.mantissas, units, dtype=np.float64)
        np.negative(values, out=values, where=self.signs)
        return groups.join(values, self.length)

    def decode_fp16(self) -> NDArray[np.float16]:
        """The values in FP16: exact for what truncation made, else to nearest even, overflow to Inf."""
        with np.errstate(over="ignore"):
            return self.decode().astype(np.float16)


def _nearest(justified: NDArray[np.uint16], shift: NDArray[np.uint8], mantissa_bits: int) -> NDArray[np.uint16]:
    # From 17 on less than half a unit is left; doubling gives a shift of 0 a half to add, too.
    wide, shift = justified.astype(np.uint32), np.minimum(shift, np.uint8(17))
    below_half = (np.uint32(1) << shift) - 1
    rounded = (2 * wide + below_half + ((wide >> shift) & 1)) >> (shift + np.uint8(1))
    limited: NDArray[np.uint32] = np.minimum(rounded, (1 << mantissa_bits) - 1)
    return limited.astype(np.uint16)


def _check_sizes(mantissa_bits: int, group_size: int) -> None:
    if not 1 <= mantissa_bits <= 16:
        raise InputError(f"found {mantissa_bits}", field="mantissa_bits", facts={"allowed": "1..16"})
    groups.check_size(group_size)
