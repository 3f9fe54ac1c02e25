"""Anda's planes, memory image and storage: each bit where the format puts it, and back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.formats import anda, fp16
from sim.formats.anda import ActivationImage, AndaTensor

from . import oracle
from .test_anda_values import assert_same


@st.composite
def tensors(draw):
    rows, length = draw(st.integers(1, 3)), draw(st.integers(1, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = rng.choice(oracle.FINITE_CODES, (rows, length)).astype(np.uint16)
    group_size = draw(st.sampled_from(range(16, 129, 16)))
    return AndaTensor.encode(fp16.from_codes(codes), draw(st.integers(1, 16)), group_size)


@given(tensors())
def test_row_0_holds_the_signs_and_row_r_the_bit_of_weight_2_to_m_minus_r(tensor):
    planes = tensor.planes()
    assert planes.dtype == np.uint64
    assert planes.shape == (*tensor.exponents.shape, 1 + tensor.mantissa_bits, (tensor.group_size + 63) // 64)
    for at in np.ndindex(tensor.exponents.shape):
        rows = [sum(word << 64 * i for i, word in enumerate(row)) for row in planes[at].tolist()]
        columns = [tensor.signs[at].tolist()]
        for r in range(1, tensor.mantissa_bits + 1):
            columns.append([mantissa >> tensor.mantissa_bits - r & 1 for mantissa in tensor.mantissas[at].tolist()])
        assert rows == [sum(bit << i for i, bit in enumerate(column)) for column in columns]


@given(tensors())
def test_planes_give_the_tensor_back(tensor):
    back = AndaTensor.from_planes(tensor.planes(), tensor.exponents, tensor.group_size, tensor.length)
    assert_same(back, tensor)


@given(tensors())
def test_the_memory_image_gives_the_tensor_back(tensor):
    back = AndaTensor.from_memory(tensor.memory_image(), tensor.shape, tensor.mantissa_bits, tensor.group_size)
    assert_same(back, tensor)


@given(tensors())
def test_exponent_g_lies_5_g_bits_up_in_its_memory_and_rows_follow_one_another_in_theirs(tensor):
    image = tensor.memory_image()
    number = int.from_bytes(image.exponents, "little")
    assert number == sum(exponent << 5 * g for g, exponent in enumerate(tensor.exponents.reshape(-1).tolist()))
    row_bytes = tensor.group_size // 8
    words = tensor.planes().reshape(-1, (tensor.group_size + 63) // 64)
    for row, start in zip(words, range(0, len(image.rows), row_bytes), strict=True):
        assert image.rows[start : start + row_bytes] == row.astype("<u8").tobytes()[:row_bytes]


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
def test_a_group_takes_m_plus_1_words_and_5_bits(mantissa_bits):
    tensor = AndaTensor.encode(np.ones((3, 8 * 64), np.float16), mantissa_bits)
    groups = 3 * 8
    assert tensor.row_bits == groups * (mantissa_bits + 1) * 64 == 8 * len(tensor.memory_image().rows)
    assert tensor.exponent_bits == groups * 5 == 8 * len(tensor.memory_image().exponents)
    values = groups * 64
    assert Fraction(tensor.row_bits + tensor.exponent_bits, values) == anda.FORMAT.bits_a_value(mantissa_bits)


def test_the_last_group_takes_as_much_as_a_full_one():
    assert AndaTensor.encode(np.ones((2, 65), np.float16), 6).row_bits == 2 * 2 * (6 + 1) * 64


@pytest.mark.parametrize(("rows", "exponents"), [(-1, 0), (1, 0), (0, -1), (0, 1)])
def test_an_image_of_another_size_is_refused(rows, exponents):
    image = AndaTensor.encode(np.ones((2, 128), np.float16), 6).memory_image()
    wrong = ActivationImage(bytes(len(image.rows) + rows), bytes(len(image.exponents) + exponents))
    with pytest.raises(InputError, match="another size"):
        AndaTensor.from_memory(wrong, (2, 128), 6)


@pytest.mark.parametrize("exponent", [0, 31])
def test_an_image_with_an_exponent_that_no_finite_value_has_is_refused(exponent):
    image = AndaTensor.encode(np.ones((1, 64), np.float16), 6).memory_image()
    with pytest.raises(InputError, match="exponents"):
        AndaTensor.from_memory(ActivationImage(image.rows, bytes([exponent])), (1, 64), 6)


def test_mantissas_too_long_for_the_tensor_are_refused():
    parts = AndaTensor.encode(np.ones(64, np.float16), 6)
    with pytest.raises(InputError, match="mantissas: found more than 5 bits"):
        AndaTensor(parts.signs, parts.exponents, parts.mantissas, 5, 64)
