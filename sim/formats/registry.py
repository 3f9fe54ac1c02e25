"""The number formats there are: one card in a file of this package, or of a plug-in (sim/plugins.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from sim.plugins import Seam


@dataclass(frozen=True)
class FormatCard:
    """What `sim.py list` says of a format.

    Attributes
    ----------
    name, summary
        A word, and one line.
    bits_a_value
        Bits stored for one value, all shared parts included, by mantissa length M (formats without one ignore it).
    """

    plugs_into: ClassVar[str] = "formats"
    name: str
    summary: str
    bits_a_value: Callable[[int], Fraction]


FORMATS: Seam[FormatCard] = Seam("formats", "number format", "sim.formats")
