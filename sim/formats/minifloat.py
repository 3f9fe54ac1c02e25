"""Floating-point numbers of 4 to 8 bits, every code of them.

code     sign, exponent field e, fraction f
value    (-1)^sign 2^(e - bias) (1 + f / 2^fraction_bits);  e = 0: (-1)^sign 2^(1 - bias) f / 2^fraction_bits
round    to nearest, ties to the even code; what is larger than the largest number becomes that

E2M1, E2M3, E3M2   every code is a number                                       OCP MX v1.0
E4M3               the code of all ones is no number                            OCP OFP8 (e4m3fn)
E5M2               e = 31: Inf and NaN, as in IEEE 754                          OCP OFP8
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Minifloat:
    """One such type.

    Attributes
    ----------
    magnitudes
        Codes without a sign that are numbers, from 0 on.
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    magnitudes: int

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def bias(self) -> int:
        return (1 << self.exponent_bits - 1) - 1

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """What every code is worth; NaN where it is no number."""
        codes = np.arange(1 << self.bits - 1)
        exponents, fractions = codes >> self.fraction_bits, codes & (1 << self.fraction_bits) - 1
        significands = fractions + ((exponents > 0) << self.fraction_bits)
        magnitudes = np.ldexp(
            significands.astype(np.float64), np.maximum(exponents, 1) - self.bias - self.fraction_bits
        )
        magnitudes[self.magnitudes :] = np.nan
        return np.concatenate([magnitudes, -magnitudes])

    @property
    def largest(self) -> float:
        return float(self.values[self.magnitudes - 1])

    @property
    def largest_exponent(self) -> int:
        """Of the largest number, as a power of two."""
        return int(np.frexp(self.largest)[1]) - 1

    def round(self, values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """Codes of finite values, in their shape."""
        numbers = self.values[: self.magnitudes]
        middles, sizes = (numbers[1:] + numbers[:-1]) / 2, np.abs(values.astype(np.float64))
        below = np.searchsorted(middles, sizes, side="left")
        # On a middle: the even one of the two.
        ties = (below < len(middles)) & (sizes == middles[np.minimum(below, len(middles) - 1)]) & (below & 1 == 1)
        signs = np.signbit(values).astype(np.uint8) << np.uint8(self.bits - 1)
        codes: NDArray[np.uint8] = (below + ties).astype(np.uint8) | signs
        return codes


E2M1 = Minifloat("E2M1", 2, 1, 8)
E2M3 = Minifloat("E2M3", 2, 3, 32)
E3M2 = Minifloat("E3M2", 3, 2, 32)
E4M3 = Minifloat("E4M3", 4, 3, 127)
E5M2 = Minifloat("E5M2", 5, 2, 124)
