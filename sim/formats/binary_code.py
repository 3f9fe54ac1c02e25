"""iFPU's binary coding: a weight of `bits` bits as a sum of +1 and -1, one bit-serial pass each.

weight   w = code - zero = sum_i 2^(i-1) b_i + (2^bits - 1)/2 - zero,  b_i = +1 where bit i of the code is set, else -1
symmetric  zero = 2^(bits - 1), so the correction is -1/2 (the code is the two's complement with its top bit flipped)
product  sum_k m_k w_k = (sum_i 2^i sum_k m_k b_ik + (2^bits - 1 - 2 zero) sum_k m_k) / 2,  always an integer
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.formats.integer import IntegerTensor


def signs(weights: IntegerTensor) -> NDArray[np.int8]:
    """(bits, ..., groups, group_size): b_i, +1 or -1, the least significant plane first."""
    return np.stack([2 * (weights.codes >> i & 1).astype(np.int8) - 1 for i in range(weights.bits)])


def doubled_corrections(weights: IntegerTensor) -> NDArray[np.int16]:
    """(..., groups): 2^bits - 1 - 2 zero, twice what a group's weights need beside their planes."""
    return weights.largest - 2 * weights.zeros.astype(np.int16)


def dot(
    mantissas: NDArray[np.float64], planes: NDArray[np.float64], corrections: NDArray[np.int16]
) -> NDArray[np.float64]:
    """The products of one group, plane by plane as iFPU forms them; integers, held in float64.

    Parameters
    ----------
    mantissas : (tokens, group_size)
        With their signs.
    planes : (bits, columns, group_size)
    corrections : (columns,)
        Doubled, as above.

    Returns
    -------
    (tokens, columns)
        sum_k m_k w_k
    """
    doubled: NDArray[np.float64] = mantissas.sum(axis=1)[:, np.newaxis] * corrections
    for i, plane in enumerate(planes):
        doubled += (mantissas @ plane.T) * 2**i
    return doubled / 2
