"""FP16: every code is what IEEE 754 says it is, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from sim.errors import InputError
from sim.formats import fp16

from . import oracle

FINITE = np.array(oracle.FINITE_CODES, np.uint16)


def test_there_are_63488_finite_codes():
    # 2 signs, 31 exponent fields that are finite, 2^10 fractions
    assert FINITE.size == 2 * 31 * 2**10 == 63488


def test_the_fields_of_every_finite_code_give_its_value():
    parts = fp16.fields(fp16.from_codes(FINITE), "x")
    for code, sign, exponent, significand in zip(
        oracle.FINITE_CODES, parts.signs.tolist(), parts.exponents.tolist(), parts.significands.tolist(), strict=True
    ):
        assert sign == (code >= 1 << 15)
        assert (-1) ** sign * significand * 2.0 ** (exponent - 25) == oracle.value(code)
        # The one form of each value: a hidden bit wherever the exponent is not the least.
        assert significand < 2**11
        assert significand >= 2**10 or exponent == 1


def test_codes_and_values_are_the_same_bits():
    assert np.array_equal(fp16.to_codes(fp16.from_codes(FINITE)), FINITE)
    assert fp16.from_codes(FINITE).tolist() == [oracle.value(code) for code in oracle.FINITE_CODES]


@pytest.mark.parametrize("code", [31 << 10, 63 << 10, (31 << 10) + 1, (32 << 10) - 1, (63 << 10) + 1, (64 << 10) - 1])
def test_inf_and_nan_are_refused_by_name_and_index(code):
    values = np.zeros((3, 4), np.float16)
    values.view(np.uint16)[1, 2] = values.view(np.uint16)[2, 0] = code
    with pytest.raises(InputError, match=r"layer\.7\.down: (-?inf|nan) at index \[1, 2\]"):
        fp16.fields(values, "layer.7.down")


def test_values_that_would_have_to_be_rounded_are_a_type_error():
    with pytest.raises(TypeError, match="x: expected float16, found float32"):
        fp16.fields(np.zeros(4, np.float32), "x")
