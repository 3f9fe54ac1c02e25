"""Anda's encoding: every FP16 code under every shared exponent and every mantissa length equals the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sim.errors import InputError
from sim.formats import fp16
from sim.formats.anda import AndaTensor
from sim.formats.block_float import BlockFloat

from . import oracle

LENGTHS = pytest.mark.parametrize("mantissa_bits", range(1, 17))
POSITIVE_STEPS = [oracle.steps(code) for code in range(31 << 10)]
finite_codes = st.sampled_from(oracle.FINITE_CODES)


def encoded(codes, mantissa_bits, group_size=64):
    return AndaTensor.encode(fp16.from_codes(np.asarray(codes, np.uint16)), mantissa_bits, group_size)


def assert_same(one: BlockFloat, other: BlockFloat) -> None:
    assert (one.mantissa_bits, one.shape) == (other.mantissa_bits, other.shape)
    for part in ("signs", "exponents", "mantissas"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), strict=True)


def assert_is_what_the_oracle_says(tensor: AndaTensor, groups: list[list[int]]) -> None:
    """`groups` are the codes that the tensor's groups were made of, in order, zeros after K left out."""
    decoded = iter(tensor.decode().reshape(-1).tolist())
    parts = zip(
        groups,
        tensor.exponents.reshape(-1).tolist(),
        tensor.signs.reshape(-1, tensor.group_size).tolist(),
        tensor.mantissas.reshape(-1, tensor.group_size).tolist(),
        strict=True,
    )
    for group, exponent, signs, mantissas in parts:
        assert exponent == oracle.exponent(group)
        unit = float(oracle.unit(exponent, tensor.mantissa_bits))
        for code, sign, mantissa in zip(group, signs, mantissas, strict=False):
            assert sign == (code >= 1 << 15)
            assert mantissa == oracle.units_within(oracle.steps(code), exponent, tensor.mantissa_bits)
            assert next(decoded) == (-1) ** sign * mantissa * unit
        assert not any(mantissas[len(group) :])


@LENGTHS
def test_every_code_alone(mantissa_bits):
    tensor = encoded([[code] for code in oracle.FINITE_CODES], mantissa_bits, group_size=16)
    assert_is_what_the_oracle_says(tensor, [[code] for code in oracle.FINITE_CODES])


@LENGTHS
def test_every_code_in_mixed_groups(mantissa_bits):
    shuffled = np.random.default_rng(mantissa_bits).permutation(oracle.FINITE_CODES)
    tensor = encoded(shuffled, mantissa_bits)
    assert_is_what_the_oracle_says(tensor, shuffled.reshape(-1, 64).tolist())


@LENGTHS
def test_every_code_under_every_shared_exponent_that_can_stand_above_it(mantissa_bits):
    for shared in range(1, 31):
        # Codes below (shared + 1) << 10 have at most the exponent that 2^(shared - 15), code shared << 10, gives.
        positive = np.arange((shared + 1) << 10)
        codes = np.concatenate([positive, positive | 1 << 15])
        companions = np.full((-(-codes.size // 15), 16), shared << 10)
        companions[:, 1:] = np.resize(codes, (companions.shape[0], 15))
        tensor = encoded(companions, mantissa_bits, group_size=16)
        expected = [oracle.units_within(steps, shared, mantissa_bits) for steps in POSITIVE_STEPS[: positive.size]]
        assert (tensor.exponents == shared).all()
        assert tensor.mantissas[..., 1:].reshape(-1)[: codes.size].tolist() == expected * 2


@LENGTHS
def test_eleven_bits_are_enough_for_a_group_of_one_exponent(mantissa_bits):
    codes = np.arange(15 << 10, 16 << 10)  # 1.0 up to below 2.0
    exact = encoded(codes, mantissa_bits).decode() == fp16.from_codes(codes.astype(np.uint16))
    # A fraction of 10 bits is kept where its low 11 - M bits are zero.
    assert exact.sum() == 2 ** min(mantissa_bits - 1, 10)


@LENGTHS
@pytest.mark.parametrize("arrangement", ["alone", "mixed"])
def test_encoding_what_was_decoded_changes_nothing(mantissa_bits, arrangement):
    codes = np.random.default_rng(0).permutation(oracle.FINITE_CODES).astype(np.uint16)
    tensor = encoded(codes[:, np.newaxis] if arrangement == "alone" else codes, mantissa_bits)
    halves = tensor.decode_fp16()
    assert (halves == tensor.decode()).all(), "FP16 holds what truncation leaves of FP16"
    assert_same(AndaTensor.encode(halves, mantissa_bits), tensor)


@given(
    codes=arrays.arrays(np.uint16, arrays.array_shapes(min_dims=1, max_dims=3, max_side=40), elements=finite_codes),
    mantissa_bits=st.integers(1, 16),
    group_size=st.sampled_from(range(16, 129, 16)),
)
def test_any_shape_encodes_row_by_row(codes, mantissa_bits, group_size):
    tensor = encoded(codes, mantissa_bits, group_size)
    rows = codes.reshape(-1, codes.shape[-1]).tolist()
    assert tensor.shape == codes.shape
    assert_is_what_the_oracle_says(
        tensor, [row[at : at + group_size] for row in rows for at in range(0, len(row), group_size)]
    )
    assert_same(AndaTensor.encode(tensor.decode_fp16(), mantissa_bits, group_size), tensor)


def test_zeros_have_mantissa_0_and_the_least_exponent_and_keep_their_signs():
    tensor = encoded([0, 1 << 15], 5)
    assert tensor.exponents.tolist() == [1]
    assert not tensor.mantissas.any()
    assert np.signbit(tensor.decode_fp16()).tolist() == [False, True]


def test_a_mantissa_longer_than_fp16_holds_is_rounded_to_even_on_decoding():
    # exponent 15, M = 16: units of 2^-15. 2^15 + 16 and 2^15 + 48 lie half-way between FP16's steps of 32 units.
    mantissas = np.zeros((1, 64), np.uint16)
    mantissas[0, :3] = 2**15 + 16, 2**15 + 48, 2**15 + 17
    tensor = AndaTensor(np.zeros((1, 64), np.bool_), np.array([15], np.uint8), mantissas, 16, 3)
    assert tensor.decode_fp16().tolist() == [1, 1 + 64 / 2**15, 1 + 32 / 2**15]


@pytest.mark.parametrize("mantissa_bits", [0, 17])
def test_other_mantissa_lengths_are_refused(mantissa_bits):
    with pytest.raises(InputError, match=f"mantissa_bits: found {mantissa_bits}"):
        encoded([0], mantissa_bits)


@pytest.mark.parametrize("group_size", [0, 8, 65, 144])
def test_other_group_sizes_are_refused(group_size):
    with pytest.raises(InputError, match=f"group_size: found {group_size}"):
        encoded([0], 4, group_size)


def test_inf_is_refused_by_name_and_index():
    with pytest.raises(InputError, match=r"qkv: inf at index \[2\]"):
        AndaTensor.encode(np.array([0, 1, np.inf], np.float16), 4, name="qkv")
