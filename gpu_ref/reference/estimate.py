"""A time of a card with its error, and the one way in which a table refuses.

The rule is the same everywhere: log-log between the nearest measured neighbours, never further apart than fourfold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, log
from typing import Annotated

from pydantic import Field

from gpu_ref.reference.cards import FOLDER
from sim import source
from sim.errors import InputError
from sim.section import Section

WIDEST_GAP = 4


class OutsideTableError(InputError):
    """What was asked for is not in the measured tables, nor between their rows; the message says why."""


class ErrorBar(Section):
    """Relative errors of held-out rows: the median, and what 95 % of them stay below."""

    rows: Annotated[int, Field(gt=0)]
    median: Annotated[float, Field(gt=0)]
    most: Annotated[float, Field(gt=0)]

    def __str__(self) -> str:
        return f"{100 * self.median:.0f} / {100 * self.most:.0f} %"


class _ErrorBars(Section):
    how: str
    bars: dict[str, dict[str, ErrorBar]]


@dataclass(frozen=True)
class Estimate:
    """Seconds of one call; `is_measured` where exactly this was timed."""

    seconds: float
    bar: ErrorBar
    is_measured: bool


@cache
def error_bars() -> dict[str, dict[str, ErrorBar]]:
    """Errors by card, then by type or `prefill`, `decode` for attention."""
    return source.validate(_ErrorBars, source.read(FOLDER / "error_bars.yaml")).bars


def between(at: float, low: tuple[float, float], high: tuple[float, float]) -> float:
    """The value at `at` on the line through two (place, value), both axes logarithmic."""
    if low[0] == high[0]:
        return low[1]
    weight = log(at / low[0]) / log(high[0] / low[0])
    return exp((1 - weight) * log(low[1]) + weight * log(high[1]))


def beside(value: int, known: list[int]) -> str:
    """The measured values on either side, in words."""
    below = [one for one in known if one < value][-1:]
    above = [one for one in known if one > value][:1]
    return " and ".join(f"{one:,}" for one in below + above)
