"""Two sweeps compared: their common points result by result, and their fronts.

Points are the same where bases and overrides are: the code, and what the bases say, may differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from sim.sweep.front import Points, hypervolume
from sim.sweep.results import QUANTITIES
from sim.sweep.view import Point, View

MARGIN = 0.1
"""Of the span of the fronts, from their worst values to the reference of the volumes."""


@dataclass(frozen=True)
class Change:
    """How far a result of the common points changed: relative to the first sweep, over the changed points."""

    quantity: str
    changed: int
    lowest: float
    median: float
    highest: float


@dataclass(frozen=True)
class FrontChange:
    """Points on both fronts of a group and on one only; the ratio of the volumes that they dominate."""

    group: str
    both: int
    only_a: int
    only_b: int
    volume_ratio: float | None


@dataclass(frozen=True)
class Difference:
    """What two sweeps share and where they differ."""

    common: int
    only_a: int
    only_b: int
    changes: tuple[Change, ...]
    fronts: tuple[FrontChange, ...]


def compare(a: View, b: View) -> Difference:
    """Compare two sweeps."""
    points_a, points_b = _named(a.points), _named(b.points)
    common = [(points_a[name], points_b[name]) for name in points_a if name in points_b]
    fronts = []
    if a.sweep.objectives == b.sweep.objectives:
        groups = {a.title(group): group for group in a.groups}
        others = {b.title(group): group for group in b.groups}
        fronts = [
            _front(title, a.groups[groups[title]], b.groups[others[title]]) for title in groups if title in others
        ]
    return Difference(
        common=len(common),
        only_a=len(points_a) - len(common),
        only_b=len(points_b) - len(common),
        changes=tuple(change for name in QUANTITIES if (change := _change(name, common)) is not None),
        fronts=tuple(fronts),
    )


def _named(points: list[Point]) -> Mapping[str, Point]:
    return {
        json.dumps([point.levels["arch"], point.levels["workload"], point.stored.overrides], sort_keys=True): point
        for point in points
    }


def _change(name: str, common: list[tuple[Point, Point]]) -> Change | None:
    pairs = [
        (one.stored.totals[name], other.stored.totals[name])
        for one, other in common
        if one.stored.totals and other.stored.totals and name in one.stored.totals and name in other.stored.totals
    ]
    shares = [new / old - 1 for old, new in pairs if new != old and old]
    return Change(name, len(shares), min(shares), median(shares), max(shares)) if shares else None


def _front(title: str, a: list[Point], b: list[Point]) -> FrontChange:
    names_a, names_b = _named(a), _named(b)
    both = len(names_a.keys() & names_b.keys())
    return FrontChange(
        title, both, len(names_a) - both, len(names_b) - both, volume_ratio(objectives(a), objectives(b))
    )


def objectives(points: Sequence[Point]) -> Points:
    """What is minimised of each point."""
    return np.array([point.objectives for point in points], dtype=np.float64)


def volume_ratio(a: Points, b: Points) -> float | None:
    """Volume that front b dominates over that of front a; None where a dominates none.

    The reference lies a tenth of the span of both fronts beyond their worst values, so that the ends of a front count.
    """
    both = np.vstack([a, b])
    reference = both.max(axis=0) + MARGIN * np.ptp(both, axis=0)
    # An objective that is the same everywhere would make every volume nothing.
    spread = np.ptp(both, axis=0) > 0
    volume = hypervolume(a[:, spread], reference[spread])
    return hypervolume(b[:, spread], reference[spread]) / volume if volume else None
