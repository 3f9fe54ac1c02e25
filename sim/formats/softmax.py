"""The softmax's contract: every bit of what the vector unit makes of scores and partial outputs in fused attention.

Scores s are FP16 and count in powers of two: queries are multiplied by log2 e / sqrt(head size) (`query_factor`,
binary32) as they are rotated, and then rounded to FP16. Key blocks follow one another; of a row, from m = -65504,
l = +0 and outputs so far O = +0:

    m'  = max(m, s_k of the keys that the row sees)             r = 2^fl(m - m')
    e_k = 2^fl(s_k - m'), 0 of other keys                       exact in binary32
    p_k = FP16(fl(e_k v_k)), v_k the scale of the key's value; FP16(e_k) without scales
    l   = fl(fl(l r) + t_0), then fl(l + t_g)                   t_g of each group of keys, in order
    O   = fl(fl(O r) + o)                                       o the block's P V in FP16
    out = FP16(fl(O fl(1 / l)))                                 after the last block

fl is binary32 to nearest even; nothing is fused. t_g is a tree: neighbours are added, then neighbours of those sums,
and so on; 0 beside the last of an odd number. The power of two of x <= 0 is

    a = floor(-x 2^16),  n = floor(a / 2^16),  i and f the next 6 and the last 10 bits of a;  0 from n = 32 on
    2^x = (T_i - floor((T_i - T_i+1) f / 2^10)) 2^(-16 - n),    T_i = 2^(16 - i / 64) to the nearest integer, i = 0..64

between 2 units in 100,000 below the true one and 7 above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError

Float32 = NDArray[np.float32]
Half = NDArray[np.float16]

FRACTION_BITS, INDEX_BITS = 16, 6
"""Of the argument behind the point, and those of them that choose an entry of the table."""
LEAST = 32
"""From -LEAST on a power of two is 0."""
LOWEST = np.float32(-65504)
"""Where maxima begin: the lowest FP16 number."""
LOG2_E = 1.4426950408889634


def query_factor(scaling: float) -> np.float32:
    """What queries are multiplied by, for scores that a model scales so: usually by 1 / sqrt(head size)."""
    return np.float32(LOG2_E * scaling)


def _table() -> NDArray[np.int64]:
    """T_i, found in integers: of t and t + 1 the nearer one, by 64th powers."""
    steps, entries = 1 << INDEX_BITS, []
    for i in range(steps + 1):
        power = 1 << FRACTION_BITS * steps - i
        low, high = 1, 1 << FRACTION_BITS
        while low < high:  # the smallest t whose t + 1/2 is not below the root
            middle = (low + high) // 2
            low, high = (low, middle) if (2 * middle + 1) ** steps >= power << steps else (middle + 1, high)
        entries.append(low)
    return np.array(entries)


TABLE = _table()


def power_of_two(exponents: Float32) -> Float32:
    """2^x of finite x <= 0, as the contract has it."""
    scaled = np.minimum(-exponents.astype(np.float64), LEAST) * (1 << FRACTION_BITS)
    fixed = scaled.astype(np.int64)
    fraction = fixed & (1 << FRACTION_BITS) - 1
    low_bits = FRACTION_BITS - INDEX_BITS
    index, low = fraction >> low_bits, fraction & (1 << low_bits) - 1
    upper = TABLE[index]
    values = upper - ((upper - TABLE[index + 1]) * low >> low_bits)
    whole = fixed >> FRACTION_BITS
    powers = np.ldexp(values.astype(np.float32), -FRACTION_BITS - whole.astype(np.int32))
    return np.where(whole < LEAST, powers, np.float32(0))


def tree_sums(values: Float32) -> Float32:
    """Sums over the last axis by a tree of neighbours."""
    while values.shape[-1] > 1:
        if values.shape[-1] % 2:
            values = np.concatenate([values, np.zeros_like(values[..., :1])], axis=-1)
        values = values[..., ::2] + values[..., 1::2]
    return values[..., 0]


@dataclass(frozen=True, eq=False)
class SoftmaxBlock:
    """What the softmax makes of a key block's scores.

    Attributes
    ----------
    weights : float16, (rows, keys)
        P, for the compressor.
    rescale : float32, (rows,)
        r, for the outputs so far.
    """

    weights: Half
    rescale: Float32


@dataclass(frozen=True, eq=False)
class AttentionOutput:
    """What rows of an attention come to.

    Attributes
    ----------
    sums : float32, (rows,)
        l.
    accumulators : float32, (rows, channels)
        O, not yet divided.
    outputs : float16, (rows, channels)
        Infinite beyond FP16.
    """

    sums: Float32
    accumulators: Float32
    outputs: Half


class OnlineSoftmax:
    """Rows of an attention, on their way through key blocks.

    Parameters
    ----------
    rows, channels
        Queries, and values in a head of V.
    group_size
        Keys of a group.
    """

    def __init__(self, rows: int, channels: int, group_size: int) -> None:
        self.group_size = group_size
        self.maxima = np.full(rows, LOWEST)
        self.sums = np.zeros(rows, np.float32)
        self.outputs = np.zeros((rows, channels), np.float32)

    def weigh(self, scores: Half, visible: NDArray[np.bool_], value_scales: Half | None) -> SoftmaxBlock:
        """Take a key block's scores (rows, keys).

        Parameters
        ----------
        visible : (rows, keys)
            Which keys a row sees.
        value_scales : (keys,)
            Of the values, where those are integers.

        Raises
        ------
        InputError
            For a score that a row sees and that is not finite.
        """
        wide = np.where(visible, scores, np.float16(LOWEST)).astype(np.float32)
        if not np.isfinite(wide).all():
            facts = {"allowed": "scores within FP16, +-65504", "mend": "smaller queries or keys"}
            raise InputError("a score is beyond FP16", field="attention", facts=facts)
        maxima = np.maximum(self.maxima, wide.max(axis=-1))
        rescale = power_of_two(self.maxima - maxima)
        powers = power_of_two(wide - maxima[:, np.newaxis])
        powers[~visible] = 0
        self.maxima, self.sums = maxima, self.sums * rescale
        for first in range(0, powers.shape[1], self.group_size):
            self.sums = self.sums + tree_sums(powers[:, first : first + self.group_size])
        if value_scales is not None:
            powers *= value_scales.astype(np.float32)
        return SoftmaxBlock(powers.astype(np.float16), rescale)

    def add(self, partial: Half, rescale: Float32) -> None:
        """Take a key block's P V (rows, channels)."""
        with np.errstate(over="ignore", invalid="ignore"):
            self.outputs = self.outputs * rescale[:, np.newaxis] + partial.astype(np.float32)

    def finish(self) -> AttentionOutput:
        """After the last block.

        Raises
        ------
        InputError
            For a row that has seen no key.
        """
        if not self.sums.all():
            raise InputError(f"row {int(np.argmin(self.sums))} sees no key", field="attention")
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = (self.outputs * (np.float32(1) / self.sums)[:, np.newaxis]).astype(np.float16)
        return AttentionOutput(self.sums, self.outputs, outputs)
