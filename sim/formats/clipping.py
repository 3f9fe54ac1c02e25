"""Integer weights whose groups are clipped where that lowers the squared error: round-to-nearest with a search.

Every group is quantised with its extremes scaled by each of RATIOS; the ratio with the least error is kept, the larger
where two are equal. Ratio 1 is plain round-to-nearest, so no group gets worse.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.formats import groups
from sim.formats.integer import IntegerTensor, Scheme

RATIOS = tuple(1 - step / 20 for step in range(11))


def quantise_clipped(
    weights: NDArray[np.floating[Any]], scheme: Scheme, group_size: int = 128, name: str = "weights", bits: int = 4
) -> IntegerTensor:
    """Quantise finite weights (..., K), symmetric or with zero points; raises like `IntegerTensor.quantise`."""
    best = IntegerTensor.quantise(weights, scheme, group_size, name, bits)
    grouped = groups.split(weights.astype(np.float64), group_size)
    low, high = grouped.min(axis=-1, keepdims=True), grouped.max(axis=-1, keepdims=True)
    codes, scales, zeros = best.codes.copy(), best.scales.copy(), best.zeros.copy()
    error = _squared_error(best, grouped)
    for ratio in RATIOS[1:]:
        clipped = np.clip(grouped, np.minimum(ratio * low, 0), np.maximum(ratio * high, 0))
        tried = IntegerTensor.quantise(clipped.reshape(*grouped.shape[:-2], -1), scheme, group_size, name, bits)
        tried_error = _squared_error(tried, grouped)
        better = tried_error < error
        codes[better], scales[better], zeros[better] = tried.codes[better], tried.scales[better], tried.zeros[better]
        error = np.minimum(error, tried_error)
    return IntegerTensor(codes, scales, zeros, weights.shape[-1], bits)


def _squared_error(tensor: IntegerTensor, grouped: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., groups)."""
    decoded = tensor.integers() * tensor.scales.astype(np.float64)[..., np.newaxis]
    error: NDArray[np.float64] = np.square(decoded - grouped).sum(axis=-1)
    return error
