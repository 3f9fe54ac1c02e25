"""INT4 weights in the order of the 16-bit products' fragments: w4a16.cu and w4a16_wgmma.cu.

codes   [depth / 64][columns / 64] tiles of [4 j][32 lanes][4 steps of k16]
        lane 4 g + t, j: columns 16 j .. 16 j + 15 of the tile, eight codes a step; 16 bytes a lane

        nibble   0      4        1        5        2      6        3        7
        column   g      g        g        g        g + 8  g + 8    g + 8    g + 8
        k        2 t    2 t + 1  2 t + 8  2 t + 9  2 t    2 t + 1  2 t + 8  2 t + 9

scales  [depth / 128][columns / 64][8 g][8 j] FP16: column 8 j + g
zeros   [depth / 128][columns / 64][8 g] u32, nibble j: column 8 j + g
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.formats.int4 import Int4Tensor

_NIBBLE_OF = np.array([0, 4, 1, 5, 2, 6, 3, 7])  # of the eight codes in the order of the table's columns


@dataclass(frozen=True, eq=False)
class PackedFragments:
    """Codes uint32, scales uint16 (the bits of FP16), zeros of 16 or 32 bits; shapes as in the module's diagram."""

    codes: NDArray[np.uint32]
    scales: NDArray[np.uint16]
    zeros: NDArray[np.unsignedinteger[Any]]


def _index() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """k within 16 and column within 16 of every code of every lane, (32, 8)."""
    g, t = np.divmod(np.arange(32)[:, np.newaxis], 4)
    element = np.arange(8)
    return 2 * t + element % 2 + 8 * (element // 2 % 2), g + 8 * (element // 4)


def pack(weights: Int4Tensor) -> PackedFragments:
    """Pack weights of shape (columns, depth), columns a multiple of 64, depth of 128, groups of 128."""
    columns, depth = weights.shape
    k, column = _index()
    codes = weights.codes.reshape(columns // 64, 4, 16, depth // 64, 4, 16)  # n64, j, column, k64, k16, k
    picked = codes[:, :, column, :, :, k].astype(np.uint32)  # lane, element, n64, j, k64, k16
    words = (picked << (4 * _NIBBLE_OF).astype(np.uint32).reshape(1, 8, 1, 1, 1, 1)).sum(axis=1, dtype=np.uint32)
    by_group = weights.scales.T.reshape(depth // 128, columns // 64, 8, 8).transpose(0, 1, 3, 2)
    zeros = weights.zeros.T.reshape(depth // 128, columns // 64, 8, 8).transpose(0, 1, 3, 2).astype(np.uint32)
    return PackedFragments(
        np.ascontiguousarray(words.transpose(3, 1, 2, 0, 4)),
        np.ascontiguousarray(by_group).view(np.uint16),
        (zeros << np.arange(0, 32, 4, dtype=np.uint32)).sum(axis=-1, dtype=np.uint32),
    )


def unpack(packed: PackedFragments) -> Int4Tensor:
    """Undo `pack`."""
    k64, n64 = packed.codes.shape[:2]
    columns, depth = 64 * n64, 64 * k64
    k, column = _index()
    nibbles = (
        packed.codes[..., np.newaxis] >> (4 * _NIBBLE_OF).astype(np.uint32) & 15
    )  # k64, n64, j, lane, k16, element
    codes = np.empty((n64, 4, 16, k64, 4, 16), np.uint8)
    codes[:, :, column, :, :, k] = nibbles.transpose(3, 5, 1, 2, 0, 4)
    scales = packed.scales.transpose(0, 1, 3, 2).reshape(-1, columns).T
    zeros = packed.zeros[..., np.newaxis] >> np.arange(0, 32, 4, dtype=np.uint32) & 15
    return Int4Tensor(
        codes.reshape(columns, depth // 128, 128),
        np.ascontiguousarray(scales).view(np.float16),
        zeros.transpose(0, 1, 3, 2).reshape(-1, columns).T.astype(np.uint8),
        depth,
    )
