"""Eight bits: sign, 4 of exponent, 3 of mantissa."""

from __future__ import annotations

from fractions import Fraction

from sim.formats.registry import FormatCard

FORMAT = FormatCard("toy-e4m3", "FP8 of 4 and 3 bits, a toy", lambda mantissa_bits: Fraction(8))
