"""What the figures of a sweep share: which points are drawn, their hover, their scales and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sim.report.figures.frame import words
from sim.sweep.view import Group, Point, View
from sim.sweep.wording import hover

FRONT, DOMINATED = "#0072B2", "rgba(128,128,128,0.45)"
_LOW, _HIGH = (0, 114, 178), (230, 159, 0)
LOGARITHMIC_ABOVE = 20
"""Ratio of the largest to the least value from which an axis is logarithmic."""

Anything = TypeVar("Anything")


def dominated(view: View, group: Group) -> list[Point]:
    """The comparable points of a group that are not on its front."""
    front = {point.stored.key for point in view.groups[group]}
    return [point for point in view.comparable()[group] if point.stored.key not in front]


def thinned(points: Sequence[Anything], most: int) -> list[Anything]:
    """At most so many of the points, evenly."""
    return list(points[:: max(1, -(-len(points) // most))])


def told(view: View, point: Point) -> str:
    """The hover of a point."""
    head, *rest = map(words, hover(view, point))
    return "<br>".join([f"<b>{head}</b>", *rest])


def logarithmic(values: Sequence[float]) -> bool:
    """Whether values span so much that a linear axis would hide most of them."""
    return min(values) > 0 and max(values) > LOGARITHMIC_ABOVE * min(values)


def blend(share: float) -> str:
    """From blue (0) to orange (1)."""
    red, green, blue = (round(low + share * (high - low)) for low, high in zip(_LOW, _HIGH, strict=True))
    return f"rgb({red},{green},{blue})"
