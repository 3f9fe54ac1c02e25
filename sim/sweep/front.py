"""The Pareto front of points to minimise, and the volume it dominates.

A point is on the front when no other is at least as good in every objective and better in one; equal points stand
there together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Shape [points, objectives]."""


def front(points: Points) -> NDArray[np.intp]:
    """Indices of the points on the front, ascending."""
    # In lexicographic order a point can only be dominated by one before it.
    order = np.lexsort(points.T[::-1])
    kept: list[int] = []
    best = np.empty((0, points.shape[1]))
    for index in order:
        one = points[index]
        dominated = (best <= one).all(axis=1) & (best < one).any(axis=1)
        if not dominated.any():
            kept.append(index)
            best = np.vstack([best, one])
    return np.sort(np.array(kept, dtype=np.intp))


def hypervolume(points: Points, reference: Sequence[float] | NDArray[np.float64]) -> float:
    """Volume between the front and a reference point, by slices along the last objective."""
    inside = points[(points < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    return _volume(inside[front(inside)], np.asarray(reference, dtype=np.float64))


def _volume(points: Points, reference: NDArray[np.float64]) -> float:
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    ordered = points[np.argsort(points[:, -1], kind="stable")]
    heights = np.diff(np.append(ordered[:, -1], reference[-1]))
    volume = 0.0
    for count, height in enumerate(heights, 1):
        if height > 0:
            below = ordered[:count, :-1]
            volume += height * _volume(below[front(below)], reference[:-1])
    return volume
