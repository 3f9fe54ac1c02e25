"""The number formats there are: every module of this package that has a card named FORMAT."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


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

    name: str
    summary: str
    bits_a_value: Callable[[int], Fraction]


def formats() -> list[FormatCard]:
    """The cards of all formats, by name."""
    package = importlib.import_module(__package__)
    modules = (
        importlib.import_module(f"{__package__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    )
    return sorted((module.FORMAT for module in modules if hasattr(module, "FORMAT")), key=lambda card: card.name)
