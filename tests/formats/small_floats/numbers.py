"""What was encoded: every FP16 number, and weights of many sizes, the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS, LENGTH = 24, 128


def every_half() -> NDArray[np.float16]:
    """All 63,488 finite ones."""
    codes = np.arange(1 << 16, dtype=np.uint16)
    return codes[(codes >> 10 & 31) != 31].view(np.float16)


def weights() -> NDArray[np.float32]:
    """Columns of sizes from 2^-12 to 2^11, with outliers, zeros and blocks of zeros, ties among them."""
    rng = np.random.RandomState(7)  # its stream is frozen
    found = rng.randint(-2048, 2049, (COLUMNS, LENGTH)) * np.exp2(np.arange(COLUMNS)[:, np.newaxis] - 23.0)
    found = np.where(rng.randint(0, 40, found.shape) == 0, found * 31, found)
    found = np.where(rng.randint(0, 20, found.shape) == 0, 0.0, found)
    found[5, 32:64] = 0
    found[6] = rng.randint(-12, 13, LENGTH) / 4  # ties of E2M1 under a scale of a power of two
    return found.astype(np.float32)
