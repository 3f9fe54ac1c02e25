"""FP16: IEEE 754 binary16, which every activation starts as.

value = (-1)^sign * significand * 2^(exponent - 25),  significand < 2^11
normal     exponent field 1..30, hidden bit 1
subnormal  exponent field 0 counts as exponent 1, hidden bit 0
refused    exponent field 31: Inf, NaN
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats.registry import FormatCard

FORMAT = FormatCard("fp16", "IEEE 754 binary16", lambda _: Fraction(16))


@dataclass(frozen=True, eq=False)
class Fields:
    """The parts of finite FP16 values, each array in the shape of the values.

    Attributes
    ----------
    signs : bool
    exponents : uint8, 1..30
    significands : uint16, below 2^11, hidden bit included
    """

    signs: NDArray[np.bool_]
    exponents: NDArray[np.uint8]
    significands: NDArray[np.uint16]


def fields(values: NDArray[np.float16], name: str) -> Fields:
    """Take finite FP16 values apart; `name` is what an error calls the tensor.

    Raises
    ------
    InputError
        For Inf or NaN, with the index of the first.
    """
    check(values, name)
    codes = to_codes(values)
    field = (codes >> 10) & 31
    return Fields(
        signs=codes >= 1 << 15,
        exponents=np.maximum(field, 1).astype(np.uint8),
        significands=codes & np.uint16(1023) | (field > 0) * np.uint16(1024),
    )


def to_codes(values: NDArray[np.float16]) -> NDArray[np.uint16]:
    """The 16 bits of each value."""
    return values.view(np.uint16)


def from_codes(codes: NDArray[np.uint16]) -> NDArray[np.float16]:
    """The values that 16-bit codes stand for, Inf and NaN among them."""
    return codes.view(np.float16)


def check(values: NDArray[np.float16], name: str) -> None:
    """Raise an InputError for Inf or NaN; values of another type are a TypeError, for they would have to be rounded."""
    if values.dtype != np.float16:
        raise TypeError(f"{name}: expected float16, found {values.dtype}")
    refuse_nonfinite(values, name)


def refuse_nonfinite(values: NDArray[np.floating[Any]], name: str) -> None:
    """Raise an InputError that names the tensor and the first index where it is Inf or NaN."""
    finite = np.isfinite(values)
    if not finite.all():
        index = np.unravel_index(int(np.argmin(finite)), values.shape)
        where = ", ".join(map(str, index))
        raise InputError(f"{values[index]} at index [{where}]", field=name, facts={"allowed": "finite values"})
