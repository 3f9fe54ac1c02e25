"""INT4 weights eight columns a word, as AWQ keeps them: w4a16_awq.cu.

codes   [depth][columns / 8] u32      nibble   0  4  1  5  2  6  3  7
zeros   [depth / 128][columns / 8]    column   0  1  2  3  4  5  6  7
scales  [depth / 128][columns] FP16
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu_ref.layouts.w4_fragments import PackedFragments
from sim.formats.int4 import Int4Tensor

_SHIFTS = np.array([0, 16, 4, 20, 8, 24, 12, 28], np.uint32)  # of columns 0 .. 7


def _words(nibbles: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(rows, columns) to (rows, columns / 8)."""
    eights = nibbles.reshape(len(nibbles), -1, 8).astype(np.uint32)
    words: NDArray[np.uint32] = (eights << _SHIFTS).sum(axis=-1, dtype=np.uint32)
    return words


def _nibbles(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return (words[..., np.newaxis] >> _SHIFTS & 15).astype(np.uint8).reshape(len(words), -1)


def pack(weights: Int4Tensor) -> PackedFragments:
    """Pack weights of shape (columns, depth), columns a multiple of 8, depth of 128, groups of 128."""
    columns, depth = weights.shape
    scales = np.ascontiguousarray(weights.scales.T).view(np.uint16)
    return PackedFragments(_words(weights.codes.reshape(columns, depth).T), scales, _words(weights.zeros.T))


def unpack(packed: PackedFragments) -> Int4Tensor:
    """Undo `pack`."""
    codes = _nibbles(packed.codes).T
    columns, depth = codes.shape
    scales = np.ascontiguousarray(packed.scales.T).view(np.float16)
    return Int4Tensor(codes.reshape(columns, depth // 128, 128), scales, _nibbles(packed.zeros).T, depth)
