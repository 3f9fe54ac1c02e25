"""INT4 weights: all codes and zero points, quantisation against fractions, the bytes in memory."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.formats import binary_code, fp16, int4
from sim.formats.int4 import Int4Tensor
from sim.formats.integer import WeightImage

from . import oracle

SCHEMES = pytest.mark.parametrize("scheme", ["symmetric", "zero-point"])
PAIRS = list(product(range(16), range(16)))  # (zero, code)


@pytest.fixture
def all_codes() -> Int4Tensor:
    """Row z, zero point z: every code once, in a group of 16; scales of every kind."""
    codes = np.tile(np.arange(16, dtype=np.uint8), (16, 1)).reshape(16, 1, 16)
    scales = np.array([2.0**-24, 2.0**-14, 0.1, 1, 3.14, 100, 4000, 0] * 2, np.float16).reshape(16, 1)
    return Int4Tensor(codes, scales, np.arange(16, dtype=np.uint8).reshape(16, 1), 16)


def assert_same(one: Int4Tensor, other: Int4Tensor) -> None:
    assert one.shape == other.shape
    for part in ("codes", "scales", "zeros"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), strict=True)


def random_tensor(seed: int, rows: int, length: int, group_size: int, scheme: str) -> Int4Tensor:
    weights = np.random.default_rng(seed).normal(size=(rows, length)).astype(np.float16)
    return Int4Tensor.quantise(weights, scheme, group_size)


def test_every_code_and_zero_point_is_worth_their_difference_times_the_scale(all_codes):
    integers, weights = all_codes.integers()[:, 0].tolist(), all_codes.dequantise().tolist()
    for zero, code in PAIRS:
        assert integers[zero][code] == code - zero
        assert Fraction(weights[zero][code]) == (code - zero) * Fraction(float(all_codes.scales[zero, 0]))


def test_the_weights_in_fp16_are_rounded_once(all_codes):
    halves = all_codes.dequantise_fp16().tolist()
    for zero, code in PAIRS:
        exact = (code - zero) * Fraction(float(all_codes.scales[zero, 0]))
        assert Fraction(halves[zero][code]) == oracle.binary16(exact)


def test_a_symmetric_code_with_its_top_bit_flipped_is_the_twos_complement():
    tensor = Int4Tensor.quantise(np.arange(-8, 8, dtype=np.float16), "symmetric", 16)
    assert [(code ^ 8) - 16 * (code ^ 8 >= 8) for code in tensor.codes[0].tolist()] == tensor.integers()[0].tolist()


def test_binary_code_and_correction_give_every_weight(all_codes):
    planes, corrections = binary_code.signs(all_codes), binary_code.doubled_corrections(all_codes)
    assert set(planes.reshape(-1).tolist()) == {-1, 1}
    for zero, code in PAIRS:
        halves = [Fraction(2) ** (i - 1) * int(planes[i, zero, 0, code]) for i in range(4)]
        assert sum(halves) + Fraction(int(corrections[zero, 0]), 2) == code - zero
    assert corrections[8, 0] == -1, "symmetric: half of -1"


@SCHEMES
@given(data=st.data())
def test_quantisation_is_the_nearest_code_under_an_fp16_scale(scheme, data):
    codes = data.draw(st.lists(st.sampled_from(oracle.FINITE_CODES), min_size=1, max_size=48))
    if data.draw(st.booleans()):
        codes = [code & 0x83FF | 0x0C00 * (i % 2) for i, code in enumerate(codes)]  # small ones and subnormals
    check_quantised(fp16.from_codes(np.array(codes, np.uint16)), scheme)


@SCHEMES
@given(weights=st.lists(st.floats(-(2.0**18), 2.0**18, width=32), min_size=1, max_size=32))
def test_binary32_weights_are_quantised_as_exactly(scheme, weights):
    check_quantised(np.array(weights, np.float32), scheme)


def check_quantised(weights, scheme: str) -> None:
    tensor = Int4Tensor.quantise(weights, scheme, 16)
    exact = [Fraction(float(weight)) for weight in weights]
    for g, at in enumerate(range(0, len(exact), 16)):
        group = exact[at : at + 16]
        high, low = max(*group, Fraction(0), Fraction(0)), min(*group, Fraction(0), Fraction(0))
        ideal = max(high, -low) / 7 if scheme == "symmetric" else (high - low) / 15
        scale = max(Fraction(oracle.binary16(ideal)), Fraction(1, 2**24))
        zero = 8 if scheme == "symmetric" else min(round(-low / scale), 15)
        assert Fraction(float(tensor.scales[g])) == scale
        assert tensor.zeros[g] == zero
        expected = [min(max(round(weight / scale) + zero, 0), 15) for weight in group]
        assert tensor.codes[g].tolist() == expected + [zero] * (16 - len(group))


@SCHEMES
def test_halves_go_to_the_even_code(scheme):
    # The extremes make the scale 1; with a zero point, -low = 2.5 makes zero 2, and codes are relative to it.
    extremes = [7.0] if scheme == "symmetric" else [12.5, -2.5]
    halves = [-1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    tensor = Int4Tensor.quantise(np.array(extremes + halves, np.float16), scheme, 16)
    assert tensor.scales.tolist() == [1]
    assert tensor.zeros.tolist() == [8 if scheme == "symmetric" else 2]
    assert tensor.integers()[0, len(extremes) : len(extremes) + 6].tolist() == [-2, 0, 0, 2, 2, 4]


@SCHEMES
def test_integers_times_a_scale_come_back(scheme):
    # -7 and 7, or 0 and 15 in a group make the scale exactly what it was.
    integers = np.arange(-7, 8) if scheme == "symmetric" else np.arange(16) - 4
    for scale in (2.0**-24, 2.0**-20, 0.125, 3.5, 1000):
        weights = (integers * scale).astype(np.float16)
        tensor = Int4Tensor.quantise(weights, scheme, 16)
        assert tensor.integers()[0, : integers.size].tolist() == integers.tolist()
        assert np.array_equal(tensor.dequantise(), weights)


@given(
    st.integers(0, 1000),
    st.integers(1, 3),
    st.integers(1, 300),
    st.sampled_from([16, 64, 128]),
    st.sampled_from(["symmetric", "zero-point"]),
)
def test_the_memory_image_has_two_codes_a_byte_and_gives_the_tensor_back(seed, rows, length, group_size, scheme):
    tensor = random_tensor(seed, rows, length, group_size, scheme)
    image = tensor.memory_image()
    number = int.from_bytes(image.codes, "little")
    assert number == sum(code << 4 * i for i, code in enumerate(tensor.codes.reshape(-1).tolist()))
    zeros = int.from_bytes(image.zeros, "little")
    assert zeros == sum(zero << 4 * i for i, zero in enumerate(tensor.zeros.reshape(-1).tolist()))
    assert_same(Int4Tensor.from_memory(image, tensor.shape, group_size), tensor)


def test_a_group_of_128_takes_64_bytes_16_bits_and_4_bits():
    tensor = random_tensor(0, 6, 4 * 128, 128, "zero-point")
    image, groups = tensor.memory_image(), 6 * 4
    assert [len(part) for part in (image.codes, image.scales, image.zeros)] == [groups * 64, groups * 2, groups // 2]
    assert tensor.storage_bits == 8 * (len(image.codes) + len(image.scales) + len(image.zeros))
    assert Fraction(tensor.storage_bits, groups * 128) == int4.FORMAT.bits_a_value(4) == Fraction(128 * 4 + 20, 128)


@given(st.integers(0, 1000), st.integers(1, 300), st.sampled_from([16, 32, 64, 128]))
def test_smaller_groups_hold_the_same_weights(seed, length, group_size):
    tensor = random_tensor(seed, 2, length, 128, "zero-point")
    smaller = tensor.regrouped(group_size)
    assert smaller.group_size == group_size
    assert smaller.scales.shape[-1] == -(-length // group_size)
    assert np.array_equal(smaller.dequantise(), tensor.dequantise())


def test_groups_that_do_not_fit_into_one_another_are_refused():
    with pytest.raises(InputError, match="cannot be cut"):
        random_tensor(0, 1, 128, 64, "symmetric").regrouped(48)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_weights_that_are_not_finite_are_refused_by_name_and_index(bad):
    weights = np.zeros((2, 3), np.float32)
    weights[1, 1] = bad
    with pytest.raises(InputError, match=r"up_proj: .* at index \[1, 1\]"):
        Int4Tensor.quantise(weights, "symmetric", name="up_proj")


def test_weights_whose_scale_exceeds_fp16_are_refused():
    with pytest.raises(InputError, match="scales of weights: inf"):
        Int4Tensor.quantise(np.array([7 * 65536], np.float32), "symmetric")


def test_weights_beyond_fp16_are_refused_where_they_are_wanted_in_fp16():
    tensor = Int4Tensor(np.full((1, 16), 15, np.uint8), np.array([5000], np.float16), np.zeros(1, np.uint8), 16)
    with pytest.raises(InputError, match=r"dequantised weights: inf at index \[0\]"):
        tensor.dequantise_fp16()  # 15 x 5000 = 75,000 > 65,504


@pytest.mark.parametrize("group_size", [0, 8, 100])
def test_groups_that_are_no_multiple_of_16_are_refused(group_size):
    with pytest.raises(InputError, match="multiples of 16"):
        Int4Tensor.quantise(np.zeros(16, np.float16), "symmetric", group_size)


@pytest.mark.parametrize("part", ["codes", "zeros"])
def test_codes_and_zero_points_above_15_are_refused(part):
    parts = {"codes": np.zeros((1, 16), np.uint8), "zeros": np.zeros(1, np.uint8)}
    parts[part] += 16
    with pytest.raises(InputError, match=f"{part}: found 16"):
        Int4Tensor(parts["codes"], np.ones(1, np.float16), parts["zeros"], 16)


@pytest.mark.parametrize("part", ["codes", "scales", "zeros"])
def test_an_image_of_another_size_is_refused(part):
    image = random_tensor(0, 2, 128, 64, "symmetric").memory_image()
    parts = {**vars(image), part: getattr(image, part)[:-1]}
    with pytest.raises(InputError, match=f"{part}: the image has another size"):
        Int4Tensor.from_memory(WeightImage(**parts), (2, 128), 64)


def test_codes_that_are_not_the_groups_of_k_are_a_value_error():
    codes, ones = np.zeros((2, 1, 16), np.uint8), np.ones((2, 1), np.float16)
    with pytest.raises(ValueError, match="not the groups of"):
        Int4Tensor(codes, ones, ones.astype(np.uint8), 17)
