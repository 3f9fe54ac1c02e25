"""The tolerance of W4A16: wide enough for accumulators that truncate, narrow enough for faults."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_ref.kernel import KernelCase
from gpu_ref.kernels.w4a16 import W4a16, random_weights
from gpu_ref.program import GemmShape
from sim.formats.int4 import Int4Tensor

Float64 = NDArray[np.float64]


def truncating(left: Float64, right: Float64, at_once: int, guard_bits: int) -> Float64:
    """A Tensor Core's product: addends aligned to the largest, cut below its last place, the sum cut to FP32.

    `at_once` products and the running sum meet; Fasi et al. 2021: 8 on the A100, more on Hopper.
    """
    sums = np.zeros((len(left), right.shape[1]))
    for k in range(0, left.shape[1], at_once):
        products = left[:, k : k + at_once, np.newaxis] * right[np.newaxis, k : k + at_once]
        addends = np.concatenate([sums[:, np.newaxis], products], axis=1)
        unit = np.exp2(np.floor(np.log2(np.abs(addends).max(axis=1))) - 23 - guard_bits)
        total = (np.trunc(addends / unit[:, np.newaxis]) * unit[:, np.newaxis]).sum(axis=1)
        place = np.exp2(np.floor(np.log2(np.maximum(np.abs(total), 1e-300))) - 23)
        sums = np.trunc(total / place) * place
    return sums


@pytest.fixture(scope="module", params=[128, 4096], ids=lambda depth: f"depth {depth}")
def made(request: pytest.FixtureRequest) -> tuple[KernelCase, Float64, Float64]:
    shape = GemmShape(8, 64, request.param)
    kernel = W4a16()
    rng = np.random.default_rng(3)
    weights: Int4Tensor = random_weights(np.random.default_rng(3), shape)
    case = list(kernel.cases(rng, shape))[1]
    return case, case.buffers["a"].astype(np.float64), weights.dequantise_fp16().astype(np.float64).T


@pytest.mark.parametrize(("at_once", "guard_bits"), [(8, 0), (8, 1), (16, 1)])
def test_accumulators_that_truncate_stay_within_half_the_limit(
    made: tuple[KernelCase, Float64, Float64], at_once: int, guard_bits: int
) -> None:
    case, left, right = made
    assert np.array_equal(left @ right, case.expected)
    assert case.error(truncating(left, right, at_once, guard_bits).astype(np.float32)) <= case.limit / 2


def test_the_deepest_layer_of_the_leading_model_stays_within_the_limit_too() -> None:
    # LLaMA-2-70B's down. 1e-6 of |A||W|, as it once was, is passed here, and left no margin at depth 4,096.
    shape = GemmShape(8, 64, 28672)
    weights = random_weights(np.random.default_rng(3), shape)
    case = list(W4a16().cases(np.random.default_rng(3), shape))[1]
    left, right = case.buffers["a"].astype(np.float64), weights.dequantise_fp16().astype(np.float64).T
    result = truncating(left, right, 8, 1)
    assert case.error(result.astype(np.float32)) <= case.limit / 2
    assert np.max(np.abs(result - left @ right) / (np.abs(left) @ np.abs(right))) > 1e-6


def test_a_sum_that_passes_through_fp16_is_beyond_the_limit(made: tuple[KernelCase, Float64, Float64]) -> None:
    case, left, right = made
    assert case.error((left @ right).astype(np.float16).astype(np.float32)) > 2 * case.limit


def test_one_weight_in_the_wrong_place_is_beyond_the_limit(made: tuple[KernelCase, Float64, Float64]) -> None:
    case, left, right = made
    moved = right.copy()
    moved[[0, 5]] = moved[[5, 0]]
    assert case.error((left @ moved).astype(np.float32)) > 2 * case.limit
