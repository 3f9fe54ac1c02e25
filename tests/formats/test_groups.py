"""Groups: values in order, zeros after them, and back."""

from __future__ import annotations

import numpy as np
import pytest

from sim.formats import groups


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 64])
def test_groups_hold_the_values_in_order_and_zeros_after_them(length):
    values = np.arange(1, 3 * length + 1).reshape(3, length)
    grouped = groups.split(values, 16)
    assert grouped.shape == (3, (length + 15) // 16, 16)
    assert all(row.reshape(-1)[length:].sum() == 0 for row in grouped)
    assert np.array_equal(groups.join(grouped, length), values)
