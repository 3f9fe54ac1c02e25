"""INT4 weights in the order of the 8-bit products' fragments: the Anda kernels.

codes   [depth / 64][columns / 32] tiles of [2 pairs p][32 lanes][4 words]
        lane 4 g + t, word 2 i + h: column 16 p + 8 i + g, k = 32 h + ...

        nibble   0  2      4       6       1      3       5       7
        k        t  t + 8  t + 16  t + 24  t + 4  t + 12  t + 20  t + 28

        The sums are exact integers, so k may stand in any order: byte 4 r + j of a tile row is value r + 8 j of its
        32, which is how the bits of a plane fall apart under one mask (kernels/anda_activations.cuh).

        symmetric: two's complement of code - 8;  with zero points: the code
scales  [depth / 128][columns] FP16
zeros   [depth / 128][columns / 32][8 g] u16, nibble j: column 8 j + g of the tile
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu_ref.layouts.w4_fragments import PackedFragments
from sim.formats.int4 import Int4Tensor

_NIBBLE_OF = np.array([0, 2, 4, 6, 1, 3, 5, 7])


def _k_index() -> NDArray[np.intp]:
    """k within 32 of the eight codes of every lane, (4 t, 8)."""
    element = np.arange(8)
    return np.arange(4)[:, np.newaxis] + 8 * (element % 4) + 4 * (element // 4)


def pack(weights: Int4Tensor, zero_points: bool) -> PackedFragments:
    """Pack weights of shape (columns, depth), columns a multiple of 32, depth of 128, groups of 128.

    Without `zero_points` all zeros must be 8.
    """
    columns, depth = weights.shape
    codes = weights.codes if zero_points else weights.codes ^ 8
    tiles = codes.reshape(columns // 32, 2, 2, 8, depth // 64, 2, 32)  # n32, p, i, g, k64, h, k
    picked = tiles[..., _k_index()].astype(np.uint32)  # n32, p, i, g, k64, h, t, element
    words = (picked << (4 * _NIBBLE_OF).astype(np.uint32)).sum(axis=-1, dtype=np.uint32)
    words = words.transpose(4, 0, 1, 3, 6, 2, 5)  # k64, n32, p, g, t, i, h
    zeros = weights.zeros.T.reshape(depth // 128, columns // 32, 4, 8).astype(np.uint16)
    return PackedFragments(
        np.ascontiguousarray(words).reshape(depth // 64, columns // 32, 2, 32, 4),
        np.ascontiguousarray(weights.scales.T).view(np.uint16),
        (zeros << np.arange(0, 16, 4, dtype=np.uint16)[:, np.newaxis]).sum(axis=2, dtype=np.uint16),
    )


def unpack(packed: PackedFragments, zero_points: bool) -> Int4Tensor:
    """Undo `pack`."""
    k64, n32 = packed.codes.shape[:2]
    columns, depth = 32 * n32, 64 * k64
    words = packed.codes.reshape(k64, n32, 2, 8, 4, 2, 2)  # k64, n32, p, g, t, i, h
    nibbles = words[..., np.newaxis] >> (4 * _NIBBLE_OF).astype(np.uint32) & 15
    codes = np.empty((n32, 2, 2, 8, k64, 2, 32), np.uint8)
    codes[..., _k_index()] = nibbles.transpose(1, 2, 5, 3, 0, 6, 4, 7)
    grouped = codes.reshape(columns, depth // 128, 128)
    zeros = packed.zeros[:, :, np.newaxis] >> np.arange(0, 16, 4, dtype=np.uint16)[:, np.newaxis] & 15
    return Int4Tensor(
        grouped if zero_points else grouped ^ np.uint8(8),
        np.ascontiguousarray(packed.scales.T).view(np.float16),
        zeros.reshape(-1, columns).T.astype(np.uint8),
        depth,
    )
