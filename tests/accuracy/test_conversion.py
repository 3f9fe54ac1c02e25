"""Activations converted in torch are those of sim/formats, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sim.accuracy.convert import to_block_float
from sim.formats.block_float import BlockFloat

FINITE = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE = FINITE[np.isfinite(FINITE)]


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
@pytest.mark.parametrize("mantissa_bits", range(1, 17))
def test_every_finite_code_in_order_and_mixed(mantissa_bits, rounding):
    mixed = np.random.default_rng(mantissa_bits).permutation(FINITE)
    for codes in (FINITE, mixed):
        values = codes.reshape(-1, 64)
        expected = BlockFloat.align(values, mantissa_bits, rounding=rounding).decode()
        converted = to_block_float(torch.from_numpy(values.astype(np.float32)), mantissa_bits, rounding=rounding)
        assert np.array_equal(converted.numpy(), expected)


@pytest.mark.parametrize("length", [1, 63, 65, 200])
def test_ragged_groups_and_other_sizes(length):
    values = np.random.default_rng(length).standard_normal((3, 2, length)).astype(np.float16)
    for group_size in (16, 64, 128):
        expected = BlockFloat.align(values, 5, group_size).decode()
        converted = to_block_float(torch.from_numpy(values.astype(np.float32)), 5, group_size)
        assert np.array_equal(converted.numpy(), expected)


def test_values_between_fp16_codes_are_rounded_to_fp16_first():
    # 1 + 2^-11 lies halfway between two codes and rounds to the even one, 1.
    converted = to_block_float(torch.tensor([1 + 2.0**-11, 1.0]), 16)
    assert converted.tolist() == [1.0, 1.0]
