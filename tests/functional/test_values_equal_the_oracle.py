"""Every output of every kind of PE, bit for bit, against Python integers and fractions with explicit rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.arch.load import load_arch
from sim.formats import fp16
from sim.formats.int4 import Int4Tensor
from sim.functional import product
from sim.functional.execute import execute
from sim.functional.product import Aligned, Exact, Sequential
from sim.machine.machine import Machine
from sim.workload.gemm import Gemm
from tests.formats import oracle
from tests.functional.oracles import accumulator

Arithmetic = Aligned | Exact | Sequential
MACHINES = ("fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8")


def operands(seed: int, m: int, k: int, n: int, scheme: str) -> tuple[NDArray[np.float16], Int4Tensor]:
    """Activations of every size that FP16 has, subnormals and zeros among them, and weights as a model has them."""
    rng = np.random.default_rng(seed)
    spread = np.exp2(rng.integers(-24, 8, (m, k)).astype(np.float64))
    activations = (rng.standard_normal((m, k)) * spread * (rng.random((m, k)) < 0.9)).astype(np.float16)
    return activations, Int4Tensor.quantise(rng.standard_normal((n, k)) * 0.02, scheme)  # type: ignore[arg-type]


def pairs(activations: NDArray[np.float16], weights: Int4Tensor) -> list[list[oracle.Column]]:
    """Every row of activations with every column of weights, as the oracle takes them."""
    integers = weights.integers().reshape(weights.shape[0], -1)[:, : weights.length].tolist()
    scales = [[Fraction(scale) for scale in row] for row in weights.scales.tolist()]
    return [
        [
            oracle.Column(row, column, of_column, weights.group_size)
            for column, of_column in zip(integers, scales, strict=True)
        ]
        for row in fp16.to_codes(activations).tolist()
    ]


def expected(arithmetic: Arithmetic, activations: NDArray[np.float16], weights: Int4Tensor) -> list[list[Fraction]]:
    """Accumulators by the oracle."""
    columns = pairs(activations, weights)
    match arithmetic:
        case Aligned(mantissa_bits, group_size):
            return [[oracle.gemm(one, mantissa_bits, group_size) for one in row] for row in columns]
        case Exact(group_size):
            return [[oracle.fp_int(one, group_size) for one in row] for row in columns]
        case Sequential():
            return [[oracle.fp_fp(one) for one in row] for row in columns]


def assert_equal(arithmetic: Arithmetic, activations: NDArray[np.float16], weights: Int4Tensor) -> None:
    accumulators = arithmetic.multiply(activations, weights)
    assert accumulators.dtype == np.float32
    assert [[Fraction(x) for x in row] for row in accumulators.tolist()] == expected(arithmetic, activations, weights)


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
@pytest.mark.parametrize("scheme", ["symmetric", "zero-point"])
def test_anda_at_every_mantissa_length(mantissa_bits, scheme):
    assert_equal(Aligned(mantissa_bits, 64), *operands(mantissa_bits, 3, 200, 5, scheme))


@pytest.mark.parametrize("arithmetic", [Exact(64), Sequential(), Aligned(13, 64), Aligned(11, 64), Aligned(8, 64)])
@pytest.mark.parametrize("scheme", ["symmetric", "zero-point"])
def test_every_other_kind(arithmetic, scheme):
    assert_equal(arithmetic, *operands(1, 3, 200, 5, scheme))


@pytest.mark.parametrize("group_size", [16, 32, 128])
def test_groups_of_other_sizes(group_size):
    for arithmetic in (Aligned(6, group_size), Aligned(16, group_size), Exact(group_size)):
        assert_equal(arithmetic, *operands(group_size, 2, 150, 3, "zero-point"))


@pytest.mark.parametrize("mantissa_bits", [14, 15, 16])
def test_the_largest_integers_of_a_group_are_not_lost(mantissa_bits):
    # All at the largest mantissa and weight: |d| = 64 (2^M - 1) 15 exceeds 2^24 from M = 15 on.
    codes = np.full((1, 128), 0x7BFF, np.uint16)
    weights = Int4Tensor(
        np.full((2, 1, 128), 15, np.uint8), np.full((2, 1), 1 / 3, np.float16), np.zeros((2, 1), np.uint8), 128
    )
    weights.codes[1, 0, 1::2] = 14
    assert_equal(Aligned(mantissa_bits, 64), fp16.from_codes(codes), weights)


def test_blocks_of_rows_and_columns_are_put_back_where_they_came_from(monkeypatch):
    monkeypatch.setattr(product, "ROWS", 3)
    monkeypatch.setattr(product, "COLUMNS", 4)
    for arithmetic in (Aligned(5, 64), Exact(64), Sequential()):
        assert_equal(arithmetic, *operands(2, 7, 130, 11, "zero-point"))


@pytest.mark.parametrize("name", MACHINES)
def test_each_shipped_machine_multiplies_as_its_kind(name):
    assert_machine(name, None)


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
def test_the_shipped_anda_machine_at_every_mantissa_length(mantissa_bits):
    assert_machine("anda-hpca25", mantissa_bits)


def assert_machine(name: str, mantissa_bits: int | None) -> None:
    """A ragged GeMM along the tiles of the machine's own plan, outputs rounded to FP16."""
    machine = Machine(load_arch(name))
    activations, weights = operands(mantissa_bits or 0, 18, 130, 21, "zero-point")
    gemm = Gemm("g", "up", *activations.shape, weights.shape[0], mantissa_bits=mantissa_bits)
    execution = execute(machine.piece(gemm).plan(), machine.pe, activations, weights)
    halves = [
        [oracle.binary16(accumulator(name, pair, mantissa_bits)) for pair in row] for row in pairs(activations, weights)
    ]
    assert execution.outputs.tolist() == [[float(x) for x in row] for row in halves]
    assert execution.overflows == sum(abs(float(x)) == float("inf") for row in halves for x in row)


SPLIT = (
    "mxu.count=10",
    "activation_dispatcher.streams=10",
    "buffers.activation.banks=10",
    "collector.reduction_cycles=1",
)


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize(
    ("name", "mantissa_bits"), [("anda-hpca25", 6), ("figna", None), ("fp-int", None), ("fp-fp", None)]
)
def test_mxus_that_split_k_add_their_sums_in_a_tree(name: str, mantissa_bits: int | None, parts: int) -> None:
    split = f"schedule={{token_block: 32, output_block: 64, k_block: {64 * parts}, split: {{tokens: 2, k: {parts}}}}}"
    machine = Machine(load_arch(name, [*SPLIT, "buffers.activation.bytes=2621440", split]))
    activations, weights = operands(parts, 18, 7 * 64 - 50, 2, "zero-point")
    gemm = Gemm("g", "up", *activations.shape, weights.shape[0], mantissa_bits=mantissa_bits)
    execution = execute(machine.piece(gemm).plan(), machine.pe, activations, weights)
    halves = []
    for row in pairs(activations, weights):
        halves.append([])
        for pair in row:
            sums = [accumulator(name, own, mantissa_bits) for own in shares(pair, parts)]
            halves[-1].append(float(oracle.binary16(tree(sums))))
    assert execution.outputs.tolist() == halves


def shares(pair: oracle.Column, parts: int) -> list[oracle.Column]:
    """What each of several MXUs has of a row and a column: groups of 64 in turn."""
    found = []
    for part in range(parts):
        own = range(part, -(-len(pair.activations) // 64), parts)
        places = [k for group in own for k in range(64 * group, min(64 * group + 64, len(pair.activations)))]
        codes, integers = ([side[k] for k in places] for side in (pair.activations, pair.weights))
        found.append(oracle.Column(codes, integers, [pair.scales[64 * group // pair.group_size] for group in own], 64))
    return found


def tree(sums: list[Fraction]) -> Fraction:
    """Sums of neighbours until one is left; an odd one goes up as it is."""
    while len(sums) > 1:
        above = [oracle.binary32(left + right) for left, right in zip(sums[::2], sums[1::2], strict=False)]
        sums = above + sums[2 * len(above) :]
    return sums[0]


def test_overflow_is_infinite_and_counted():
    activations = np.full((1, 64), 60000, np.float16)
    weights = Int4Tensor.quantise(np.vstack([np.full((1, 64), 1.0), np.full((1, 64), 2.0**-12)]), "symmetric", 64)
    machine = Machine(load_arch("fp-int"))
    execution = execute(machine.piece(Gemm("g", "up", 1, 64, 2)).plan(), machine.pe, activations, weights)
    assert np.isinf(execution.outputs).tolist() == [[True, False]]
    assert execution.overflows == 1


@pytest.mark.parametrize("planted", ["fused", "order", "narrow"])
def test_a_planted_fault_shows(planted, monkeypatch):
    def fold(accumulators, sums, scales):
        match planted:
            case "fused":  # one rounding for multiply and add
                exact = accumulators.astype(np.float64) + sums.astype(np.float64) * scales
                accumulators[:] = exact.astype(np.float32)
            case "order":  # scale applied in another order of roundings
                accumulators *= scales
                accumulators += sums.astype(np.float32)
            case "narrow":
                accumulators += sums.astype(np.float16).astype(np.float32) * scales

    loops = product._loops()
    monkeypatch.setattr(loops, "fold", fold)
    with pytest.raises(AssertionError):
        assert_equal(Aligned(13, 64), *operands(3, 8, 400, 8, "zero-point"))
