"""The front and its volume, against definitions that look at every pair of points and at every cell of a grid."""

from __future__ import annotations

import numpy as np
import pytest

from sim.sweep.front import Points, front, hypervolume


def dominated(points: Points, index: int) -> bool:
    one = points[index]
    return any((other <= one).all() and (other < one).any() for other in points)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_the_front_holds_the_points_that_no_other_dominates(objectives: int, seed: int) -> None:
    points = np.random.default_rng(seed).integers(0, 6, (60, objectives)).astype(np.float64)
    assert front(points).tolist() == [index for index in range(60) if not dominated(points, index)]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_the_volume_is_the_number_of_unit_cells_that_a_point_dominates(objectives: int, seed: int) -> None:
    side = 6
    points = np.random.default_rng(seed).integers(0, side + 2, (9, objectives)).astype(np.float64)
    cells = np.indices((side,) * objectives).reshape(objectives, -1).T
    covered = sum(any((point <= cell).all() for point in points) for cell in cells)
    assert hypervolume(points, [side] * objectives) == covered


def test_a_point_on_the_reference_dominates_nothing() -> None:
    assert hypervolume(np.array([[1.0, 3.0]]), [3, 3]) == 0
