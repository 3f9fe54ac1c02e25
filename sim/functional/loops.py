"""Compiled loops of the contract: each operation rounds to binary32 as written, none is fused or reordered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@njit(nogil=True, cache=True)
def widen(codes: NDArray[np.uint8], zeros: NDArray[np.uint8], integers: NDArray[Any]) -> None:
    """code - zero of one group: (columns, group_size), (columns,) into (columns, group_size)."""
    columns, terms = codes.shape
    for column in range(columns):
        for term in range(terms):
            integers[column, term] = np.float32(np.int32(codes[column, term]) - np.int32(zeros[column]))


@njit(nogil=True, cache=True)
def fold(accumulators: Float32, sums: NDArray[Any], scales: Float32) -> None:
    """acc = fl(acc + fl(fl(sum) s)) for one group: (tokens, columns), (tokens, columns), (columns,)."""
    tokens, columns = accumulators.shape
    for token in range(tokens):
        for column in range(columns):
            accumulators[token, column] += np.float32(sums[token, column]) * scales[column]


@njit(nogil=True, cache=True)
def chain(accumulators: Float32, values: Float32, weights: Float32) -> None:
    """acc = fl(acc + fl(a w)), k by k: (tokens, columns), (tokens, K), (K, columns); K is a multiple of 8.

    Eight terms stay in a register between loading and storing an accumulator.
    """
    tokens, columns = accumulators.shape
    for k in range(0, values.shape[1], 8):
        for token in range(tokens):
            a0, a1, a2, a3 = values[token, k], values[token, k + 1], values[token, k + 2], values[token, k + 3]
            a4, a5, a6, a7 = values[token, k + 4], values[token, k + 5], values[token, k + 6], values[token, k + 7]
            for column in range(columns):
                acc = accumulators[token, column]
                acc += a0 * weights[k, column]
                acc += a1 * weights[k + 1, column]
                acc += a2 * weights[k + 2, column]
                acc += a3 * weights[k + 3, column]
                acc += a4 * weights[k + 4, column]
                acc += a5 * weights[k + 5, column]
                acc += a6 * weights[k + 6, column]
                acc += a7 * weights[k + 7, column]
                accumulators[token, column] = acc
