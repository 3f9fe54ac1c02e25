"""Bytes of blocks of operands, against their layout written out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sim.formats.weights.integer import IntegerWeights
from sim.mapping.operands import AndaActivations, Fp16Activations, GroupedWeights, RawBytes, ceil_div
from sim.workload.gemm import FP16, INT4


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_the_quotient_is_rounded_up(dividend: int, divisor: int) -> None:
    quotient = ceil_div(dividend, divisor)
    assert quotient * divisor >= dividend > (quotient - 1) * divisor


@given(st.integers(1, 16), st.integers(1, 8), st.integers(1, 20), st.integers(1, 10))
def test_anda_groups_are_a_sign_word_m_words_and_an_exponent_of_5_bits(
    m: int, size: int, lanes: int, groups: int
) -> None:
    operand = AndaActivations(m, group_size=16 * size)
    values = 16 * size * groups - 3  # the last group is stored whole
    assert operand.data_bytes(lanes, groups, values) * 8 == lanes * groups * (m + 1) * 16 * size
    assert operand.side_bytes(lanes, groups, values) == ceil_div(lanes * groups * 5, 8)


@given(st.integers(1, 20), st.integers(1, 1000))
def test_fp16_has_two_bytes_a_value_and_raw_memory_one(lanes: int, values: int) -> None:
    assert Fp16Activations().data_bytes(lanes, 1, values) == 2 * lanes * values
    assert RawBytes().data_bytes(lanes, 1, values) == lanes * values
    assert GroupedWeights(FP16).data_bytes(lanes, 1, values) == 2 * lanes * values
    for operand in (Fp16Activations(), RawBytes(), GroupedWeights(INT4)):
        assert operand.side_bytes(lanes, 1, values) == 0


@given(st.integers(1, 20), st.integers(1, 1000), st.integers(1, 200), st.sampled_from([0, 4]))
def test_int4_weights_bring_a_scale_and_zero_point_for_every_group_begun(
    lanes: int, values: int, group_size: int, zero_point_bits: int
) -> None:
    operand = GroupedWeights(IntegerWeights(4, group_size, 16, zero_point_bits))
    bits_of_a_column = sum(4 for _ in range(values)) + sum(16 + zero_point_bits for _ in range(0, values, group_size))
    assert operand.data_bytes(lanes, 1, values) == ceil_div(lanes * bits_of_a_column, 8)
