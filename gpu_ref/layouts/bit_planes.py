"""Unsigned codes as bit planes: bipolar.cu.

planes  [bits][rows][depth / 32] u32, plane 0 the lowest bit; bit k % 32 of word k // 32 belongs to value k
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pack(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint32]:
    """Pack codes of shape (rows, depth), depth a multiple of 32, below 2^bits."""
    planes = codes >> np.arange(bits, dtype=np.uint8)[:, np.newaxis, np.newaxis] & 1
    return np.packbits(planes, axis=-1, bitorder="little").view(np.uint32)


def unpack(planes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Undo `pack`."""
    bits = np.unpackbits(planes.view(np.uint8), axis=-1, bitorder="little")
    worth = (1 << np.arange(len(planes), dtype=np.uint16)).astype(np.uint8)
    codes: NDArray[np.uint8] = (bits * worth[:, np.newaxis, np.newaxis]).sum(axis=0, dtype=np.uint8)
    return codes
