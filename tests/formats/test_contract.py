"""The numeric contract: every bit of every output equals fractions with explicit rounding; planted faults show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from sim.errors import InputError
from sim.formats import contract, fp16
from sim.formats.block_float import BlockFloat
from sim.formats.int4 import Int4Tensor

from . import oracle

SEEDS = pytest.mark.parametrize("seed", range(12))
LENGTHS = pytest.mark.parametrize("mantissa_bits", range(1, 17))


@dataclass(frozen=True)
class Case:
    """A small GeMM: FP16 codes (tokens, K) and weights (columns, K)."""

    codes: np.ndarray
    weights: Int4Tensor
    group_size: int

    @property
    def values(self) -> np.ndarray:
        return fp16.from_codes(self.codes)

    def aligned(self, mantissa_bits: int) -> BlockFloat:
        return BlockFloat.align(self.values, mantissa_bits, self.group_size)

    def expected(self, function, *arguments) -> list[list[Fraction]]:
        """What `function` of the oracle says of every token and column."""
        integers = (self.weights.codes.astype(int) - self.weights.zeros[..., np.newaxis]).reshape(
            len(self.weights.codes), -1
        )[:, : self.weights.length]
        return [
            [
                function(oracle.Column(row, column, scales, self.weights.group_size), *arguments)
                for column, scales in zip(
                    integers.tolist(),
                    [[Fraction(scale) for scale in row] for row in self.weights.scales.tolist()],
                    strict=True,
                )
            ]
            for row in self.codes.tolist()
        ]


def make_case(seed: int, exponents: tuple[int, int] = (0, 30), scale_exponents: tuple[int, int] = (0, 30)) -> Case:
    """Random values within a range of FP16 exponent fields; ragged K; every third row of groups is small or zero."""
    rng = np.random.default_rng(seed)
    tokens, columns, length = rng.integers(1, 4), rng.integers(1, 4), int(rng.integers(1, 400))
    group_size, weight_group = [(64, 128), (16, 64), (32, 32), (64, 64), (128, 128)][seed % 5]

    def halves(shape: tuple[int, ...], low: int, high: int, signs: int) -> np.ndarray:
        field = rng.integers(low, high + 1, shape)
        return (rng.integers(0, 1 + signs, shape) << 15 | field << 10 | rng.integers(0, 1024, shape)).astype(np.uint16)

    codes = halves((tokens, length), *exponents, 1)
    kind = rng.integers(0, 6, (tokens, -(-length // group_size))).repeat(group_size, axis=1)[:, :length]
    codes[kind == 0] = 0  # groups of zeros
    codes[kind == 1] &= 0x83FF  # groups of subnormals
    zeros = rng.integers(0, 16, (columns, -(-length // weight_group)))
    if seed % 2:
        zeros[:] = 8  # symmetric
    scales = fp16.from_codes(halves(zeros.shape, *scale_exponents, 0))
    nibbles = rng.integers(0, 16, (*zeros.shape, weight_group), np.uint8)
    return Case(codes, Int4Tensor(nibbles, scales, zeros.astype(np.uint8), length), group_size)


def assert_product(product: contract.Product, expected: list[list[Fraction]]) -> None:
    assert product.accumulators.dtype == np.float32
    assert [[Fraction(x) for x in row] for row in product.accumulators.tolist()] == expected
    outputs = [[oracle.binary16(x) for x in row] for row in expected]
    assert product.outputs.dtype == np.float16
    assert product.outputs.tolist() == outputs
    assert product.overflows == sum(isinstance(x, float) for row in outputs for x in row)


@LENGTHS
@SEEDS
def test_gemm(seed, mantissa_bits):
    case = make_case(seed)
    product = contract.gemm(case.aligned(mantissa_bits), case.weights)
    assert_product(product, case.expected(oracle.gemm, mantissa_bits, case.group_size))


@pytest.mark.parametrize("mantissa_bits", [1, 8, 13, 16])
@SEEDS
def test_ifpu_reaches_the_same_bits_through_its_planes(seed, mantissa_bits):
    case = make_case(seed)
    product = contract.ifpu(case.aligned(mantissa_bits), case.weights)
    assert_product(product, case.expected(oracle.gemm, mantissa_bits, case.group_size))


@LENGTHS
@SEEDS
def test_gemm_with_its_groups_converted_to_fp16(seed, mantissa_bits):
    case = make_case(seed, exponents=(0, 18))  # below 2^4: no group reaches 2^4 x 15 x 128 = 30,720
    product = contract.gemm(case.aligned(mantissa_bits), case.weights, conversion="fp16")
    assert_product(product, case.expected(oracle.gemm_through_fp16, mantissa_bits, case.group_size))


@SEEDS
def test_fp_int(seed):
    case = make_case(seed)
    product = contract.fp_int(case.values, case.weights, case.group_size)
    assert_product(product, case.expected(oracle.fp_int, case.group_size))


@SEEDS
def test_fp_fp(seed):
    case = make_case(seed, scale_exponents=(0, 26))  # weights below 15 x 2^12 stay within FP16
    assert_product(contract.fp_fp(case.values, case.weights), case.expected(oracle.fp_fp))


def make_case_beyond_24_bits() -> Case:
    """63 values of the largest significand, and one 2^-5 of that: its low bits make odd sums above 2^24."""
    codes = np.full((1, 64), 30 << 10 | 1023, np.uint16)
    codes[0, 63] = 25 << 10 | 1023
    columns = np.arange(5, 16, dtype=np.uint8)
    nibbles = np.broadcast_to(columns[:, np.newaxis, np.newaxis], (columns.size, 1, 128))
    scales = np.linspace(0.1, 0.2, columns.size).astype(np.float16)[:, np.newaxis]
    return Case(codes, Int4Tensor(nibbles, scales, np.zeros(scales.shape, np.uint8), 64), 64)


@pytest.mark.parametrize("multiply", [contract.gemm, contract.ifpu])
def test_integers_beyond_24_bits_are_rounded_once(multiply):
    case = make_case_beyond_24_bits()
    exact = [w * sum(oracle.integers(case.codes[0].tolist(), 16)) for w in range(5, 16)]
    assert min(exact) > 2**24
    assert any(oracle.binary32(Fraction(dot)) != dot for dot in exact)
    assert_product(multiply(case.aligned(16), case.weights), case.expected(oracle.gemm, 16, 64))


def test_the_largest_integers_there_are_stay_exact():
    # 128 x (2^16 - 1) x 15, one less at the end: the bound of a group of 128 at M = 16.
    mantissas = np.full((1, 1, 128), 2**16 - 1, np.uint16)
    mantissas[0, 0, 0] -= 1
    tensor = BlockFloat(np.zeros_like(mantissas, np.bool_), np.array([[15]], np.uint8), mantissas, 16, 128)
    weights = Int4Tensor(
        np.full((1, 1, 128), 15, np.uint8), np.ones((1, 1), np.float16), np.zeros((1, 1), np.uint8), 128
    )
    exact = (128 * (2**16 - 1) - 1) * 15
    for product in (contract.gemm(tensor, weights), contract.ifpu(tensor, weights)):
        assert Fraction(float(product.accumulators[0, 0])) == oracle.binary32(Fraction(exact)) / 2**15


def test_overflow_to_fp16_is_infinite_and_counted():
    # 65,504 + 15.996 rounds down, a half-step of 16 more is the first to overflow.
    values = np.zeros((3, 64), np.float16)
    values[:, 0] = 65504
    values[:, 1] = 15.99, 16, -65504
    weights = Int4Tensor(
        np.full((1, 1, 128), 9, np.uint8), np.ones((1, 1), np.float16), np.full((1, 1), 8, np.uint8), 64
    )
    product = contract.fp_int(values, weights)
    assert product.outputs[:, 0].tolist() == [65504, np.inf, 0]
    assert product.overflows == 1


def test_a_group_that_exceeds_fp16_on_conversion_is_counted():
    case = Case(np.full((1, 64), 30 << 10, np.uint16), make_case(1).weights, 64)
    weights = Int4Tensor(
        np.full((1, 1, 128), 9, np.uint8), np.ones((1, 1), np.float16), np.full((1, 1), 8, np.uint8), 64
    )
    product = contract.gemm(case.aligned(8), weights, conversion="fp16")  # 64 x 2^15 x 1
    assert product.outputs.tolist() == [[np.inf]]
    assert product.overflows == 1


def test_no_output_is_a_negative_zero():
    case = make_case(3)
    codes = np.full_like(case.codes, 1 << 15)
    for product in products(replace(case, codes=codes)):
        assert not product.accumulators.any()
        assert not np.signbit(product.outputs).any()


def products(case: Case) -> list[contract.Product]:
    weights = replace(case.weights, scales=np.minimum(case.weights.scales, np.float16(1)))
    return [
        contract.gemm(case.aligned(7), weights),
        contract.gemm(case.aligned(7), weights, conversion="fp16"),
        contract.ifpu(case.aligned(13), weights),
        contract.fp_int(case.values, weights, case.group_size),
        contract.fp_fp(case.values, weights),
    ]


def in_another_order(terms, shape):
    return IN_ORDER(reversed(list(terms)), shape)


def without_rounding_each_step(terms, shape):
    total = sum(term.astype(np.float64) for term in terms).astype(np.float32)
    return IN_ORDER([total], shape)


def with_integers_summed_in_binary32(dots, *arguments):
    return TERMS(((g, shift, dot.astype(np.float32) // 2 * 2) for g, shift, dot in dots), *arguments)


def with_unit_applied_last(dots, activations, weights, conversion):
    units = np.ldexp(1.0, activations.unit_exponents).astype(np.float32)
    for g, _, dot in dots:
        yield (dot * weights.scales[:, g].astype(np.float64)).astype(np.float32) * units[:, g, np.newaxis]


IN_ORDER, TERMS = contract._in_order, contract._terms
FAULTS = {
    "groups in another order": ("_in_order", in_another_order),
    "one rounding at the end": ("_in_order", without_rounding_each_step),
    "the last bit of an integer lost": ("_terms", with_integers_summed_in_binary32),
    "an integer of more than 24 bits not rounded before it is scaled": ("_terms", with_unit_applied_last),
}


def disagreements(mantissa_bits: int, align=BlockFloat.align) -> int:
    """In how many cases the contract and the oracle differ."""
    count = 0
    for case in (*map(make_case, range(12)), make_case_beyond_24_bits()):
        product = contract.gemm(align(case.values, mantissa_bits, case.group_size), case.weights)
        found = [[Fraction(x) for x in row] for row in product.accumulators.tolist()]
        count += found != case.expected(oracle.gemm, mantissa_bits, case.group_size)
    return count


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_in_the_contract_shows(fault, monkeypatch):
    assert disagreements(16) == 0
    monkeypatch.setattr(contract, *FAULTS[fault])
    assert disagreements(16) > 0


def test_a_planted_fault_in_the_alignment_shows():
    def rounded(values, mantissa_bits, group_size):
        return BlockFloat.align(values, mantissa_bits, group_size, rounding="nearest")

    def signless(values, mantissa_bits, group_size):
        return BlockFloat.align(abs(values), mantissa_bits, group_size)

    def flushed(values, mantissa_bits, group_size):
        return BlockFloat.align(np.where(abs(values) < 2.0**-14, np.float16(0), values), mantissa_bits, group_size)

    for align in (rounded, signless, flushed):
        assert disagreements(11, align) > 0


def test_activations_and_weights_of_different_lengths_are_refused():
    case = make_case(0)
    shorter = case.values[:, :-1]
    for multiply in (
        lambda: contract.gemm(BlockFloat.align(shorter, 8, case.group_size), case.weights),
        lambda: contract.ifpu(BlockFloat.align(shorter, 8, case.group_size), case.weights),
        lambda: contract.fp_int(shorter, case.weights),
        lambda: contract.fp_fp(shorter, case.weights),
    ):
        with pytest.raises(InputError, match="K: activations and weights differ in length"):
            multiply()


def test_a_weight_group_smaller_than_the_activations_group_is_refused():
    weights = Int4Tensor.quantise(np.ones((1, 128), np.float16), "symmetric", 64)
    with pytest.raises(InputError, match="cannot be cut"):
        contract.gemm(BlockFloat.align(np.ones((1, 128), np.float16), 8, 128), weights)


@pytest.mark.parametrize("multiply", [contract.fp_int, contract.fp_fp])
def test_inf_in_activations_is_refused(multiply):
    weights = Int4Tensor.quantise(np.ones((1, 64), np.float16), "symmetric")
    values = np.zeros((2, 64), np.float16)
    values[1, 3] = np.inf
    with pytest.raises(InputError, match=r"activations: inf at index \[1, 3\]"):
        multiply(values, weights)


def test_a_dot_product_too_long_to_be_exact_is_refused():
    weights = Int4Tensor.quantise(np.ones((1, 512), np.float16), "symmetric", 512)
    with pytest.raises(InputError, match="group_size: found 512"):
        contract.fp_int(np.ones((1, 512), np.float16), weights, 512)
