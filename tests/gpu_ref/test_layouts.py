"""Packers: nothing is lost, and each nibble stands where the diagram says."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_ref.kernels.w4a16 import random_weights
from gpu_ref.layouts import bit_planes, s4_fragments, w4_awq, w4_fragments
from gpu_ref.program import GemmShape
from sim.formats.int4 import Int4Tensor

SHAPE = GemmShape(1, 192, 384)


def same(a: Int4Tensor, b: Int4Tensor) -> bool:
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("codes", "zeros", "scales"))


@pytest.fixture
def weights() -> Int4Tensor:
    return random_weights(np.random.default_rng(5), SHAPE)


def test_fragments_of_16_bit_products_unpack_to_what_was_packed(weights: Int4Tensor) -> None:
    assert same(w4_fragments.unpack(w4_fragments.pack(weights)), weights)


def test_awq_words_unpack_to_what_was_packed(weights: Int4Tensor) -> None:
    assert same(w4_awq.unpack(w4_awq.pack(weights)), weights)


@pytest.mark.parametrize("zero_points", [False, True])
def test_fragments_of_8_bit_products_unpack_to_what_was_packed(zero_points: bool) -> None:
    weights = random_weights(np.random.default_rng(6), SHAPE, "zero-point" if zero_points else "symmetric")
    assert same(s4_fragments.unpack(s4_fragments.pack(weights, zero_points), zero_points), weights)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bit_planes_unpack_to_what_was_packed(bits: int) -> None:
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (5, 128), np.uint8)
    assert np.array_equal(bit_planes.unpack(bit_planes.pack(codes, bits)), codes)


def test_a_code_of_a_16_bit_fragment_stands_where_the_diagram_says(weights: Int4Tensor) -> None:
    packed = w4_fragments.pack(weights)
    codes = weights.codes.reshape(SHAPE.columns, SHAPE.depth)
    g, t, j, k16, n64, k64 = 5, 2, 3, 1, 2, 4
    word = int(packed.codes[k64, n64, j, 4 * g + t, k16])
    k, column = 64 * k64 + 16 * k16, 64 * n64 + 16 * j + g
    assert word >> 4 * 0 & 15 == codes[column, k + 2 * t]
    assert word >> 4 * 5 & 15 == codes[column, k + 2 * t + 9]
    assert word >> 4 * 2 & 15 == codes[column + 8, k + 2 * t]
    assert packed.scales[k64 // 2, n64, g, j] == weights.scales[64 * n64 + 8 * j + g, k64 // 2].view(np.uint16)
    assert int(packed.zeros[k64 // 2, n64, g]) >> 4 * j & 15 == weights.zeros[64 * n64 + 8 * j + g, k64 // 2]


def test_a_code_of_an_8_bit_fragment_stands_where_the_diagram_says(weights: Int4Tensor) -> None:
    packed = s4_fragments.pack(weights, zero_points=True)
    codes = weights.codes.reshape(SHAPE.columns, SHAPE.depth)
    g, t, p, i, h, n32, k64 = 6, 1, 1, 1, 1, 4, 3
    word = int(packed.codes[k64, n32, p, 4 * g + t, 2 * i + h])
    k, column = 64 * k64 + 32 * h, 32 * n32 + 16 * p + 8 * i + g
    assert word >> 4 * 2 & 15 == codes[column, k + t + 8]
    assert word >> 4 * 7 & 15 == codes[column, k + t + 28]
    assert int(packed.zeros[k64 // 2, n32, g]) >> 4 * 2 & 15 == weights.zeros[32 * n32 + 16 + g, k64 // 2]
