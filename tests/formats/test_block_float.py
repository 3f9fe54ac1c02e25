"""Block floating point: the other rounding, and what iFPU and FIGNA multiply."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sim.formats import fp16
from sim.formats.block_float import BlockFloat

from . import oracle


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
def test_nearest_rounds_every_code_to_even_and_saturates(mantissa_bits):
    shuffled = np.random.default_rng(mantissa_bits).permutation(oracle.FINITE_CODES)
    values = fp16.from_codes(shuffled.astype(np.uint16))
    tensor = BlockFloat.align(values, mantissa_bits, rounding="nearest")
    for group, exponent, mantissas in zip(
        shuffled.reshape(-1, 64).tolist(), tensor.exponents.tolist(), tensor.mantissas.tolist(), strict=True
    ):
        assert exponent == oracle.exponent(group)
        unit = oracle.unit(exponent, mantissa_bits) * 2**24
        nearest = [round(Fraction(oracle.steps(code)) / unit) for code in group]
        assert mantissas == [min(mantissa, 2**mantissa_bits - 1) for mantissa in nearest]


def test_nearest_under_every_shift():
    # A value of own exponent e under 2^15 (exponent 30) shifts by 30 - e; all fractions, halves and ties among them.
    for exponent in range(1, 31):
        codes = np.full((1024, 16), 30 << 10, np.uint16)
        codes[:, 1] = (exponent << 10) + np.arange(1024)
        tensor = BlockFloat.align(fp16.from_codes(codes), 11, 16, rounding="nearest")
        unit = oracle.unit(30, 11) * 2**24
        expected = [min(round(Fraction(oracle.steps(code)) / unit), 2**11 - 1) for code in codes[:, 1].tolist()]
        assert tensor.mantissas[:, 0, 1].tolist() == expected


def test_pre_alignment_keeps_a_sign_and_13_bits_by_default():
    # 2^0 and 2^-12 at M = 13: the lesser is the last bit that is kept; 2^-13 is dropped.
    tensor = BlockFloat.align(np.array([1, -(2.0**-12), 2.0**-13], np.float16))
    assert tensor.integers()[0, :3].tolist() == [2**12, -1, 0]
    assert tensor.decode().tolist() == [1, -(2.0**-12), 0]
