"""Runs a sweep in its mode: all points, points drawn at random, or those that a search asks for."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from itertools import islice

from sim.sweep.points import Points, Tally
from sim.sweep.study import search

MOST_DRAWN = 1_000_000
"""Points that random draws before it gives up finding allowed ones."""


def run_sweep(points: Points) -> Tally:
    """Run to the end."""
    begin = time.perf_counter()
    if points.space.sweep.mode == "search":
        search(points)
    else:
        points.compute(islice(points.admitted(_numbers(points)), points.tally.total), points.tally.total)
    points.tally.seconds = time.perf_counter() - begin
    return points.tally


def _numbers(points: Points) -> Iterable[int]:
    every, sweep = range(points.space.size), points.space.sweep
    if sweep.mode == "grid":
        return every
    return random.Random(sweep.seed).sample(every, min(len(every), MOST_DRAWN))
