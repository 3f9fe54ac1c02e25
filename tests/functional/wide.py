"""Random GeMMs with weights of every width and format, and what each PE makes of them in integers and fractions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sim.formats import fp16
from sim.formats.integer import IntegerTensor
from sim.formats.weight import WeightFormat, make
from sim.formats.weights.half import HalfTensor
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.planes import PlaneWeights
from tests.formats.oracle import (
    binary16,
    binary32,
    exponent,
    groups,
    integers,
    token_gemm,
    token_integers,
    token_scale,
    unit,
    value,
)
from tests.functional.oracles import BUILT_IN_LENGTHS, GROUP_SIZE

MACHINES = ("anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "int8", "int8-int4")
INTEGERS = ("int8", "int8-int4")
CONVERTED = ("fp16", "q4_0", "q4_1", "q8_0")
"""Formats that FP-FP takes beside integers and planes; dot products of 64 do not match the groups of GGUF elsewhere."""


@dataclass(frozen=True, eq=False)
class Case:
    """`keys` are those of the machine that differ from the shipped one's."""

    stored: WeightFormat
    activations: NDArray[np.float16]
    weights: IntegerTensor | HalfTensor
    mantissa_bits: int
    activation_bits: int

    @property
    def keys(self) -> tuple[str, ...]:
        return (f"mxu.activation_bits={self.activation_bits}",) if self.activation_bits else ()


def random_case(seed: int, machine: str) -> Case:
    """A small GeMM; codes, zeros and scales are drawn, not encoded, so that all of them occur."""
    rng, draw = random.Random(f"{machine} {seed}"), np.random.default_rng(seed)
    converts = machine == "fp-fp"
    if converts and rng.random() < 0.3:
        return _converted_case(rng, draw)
    bits = rng.randint(1, 8)
    size = rng.choice([16, 32, 64, 128, "channel"] if converts else [64, 128, "channel"])
    minimum = converts and rng.random() < 0.3
    stored = IntegerWeights(bits, size, minimum_bits=16 if minimum else 0)
    m, k, n = rng.randint(1, 3), rng.randint(1, 200), rng.randint(1, 4)
    group = size if isinstance(size, int) else k
    count = -(-k // group)
    zeros = np.full((n, count), 0 if minimum else 1 << bits - 1)
    if not minimum and rng.random() < 0.7:
        zeros = draw.integers(0, 1 << bits, (n, count))
    codes = np.repeat(zeros, group, axis=1).reshape(n, -1)
    codes[:, :k] = draw.integers(0, 1 << bits, (n, k))
    scales = (draw.random((n, count)) * 2.0 ** draw.integers(-20, 4, (n, count))).astype(np.float16)
    minimums = draw.normal(size=(n, count)).astype(np.float16) if minimum else None
    weights = IntegerTensor(
        codes.reshape(n, count, group).astype(np.uint8), scales, zeros.astype(np.uint8), k, bits, minimums
    )
    if not minimum and rng.random() < 0.25:  # nested planes, of which some are not read
        stored = PlaneWeights(bits, size, read_bits=rng.randint(1, bits))
        weights = stored.read(weights)
    return Case(stored, _activations(draw, m, k), weights, rng.randint(1, 16), _activation_bits(rng, machine))


def _activations(draw: np.random.Generator, m: int, k: int) -> NDArray[np.float16]:
    """Of magnitudes far apart, and some zeros; of some tokens nothing else."""
    spread = np.exp2(draw.integers(-24, 8, (m, k)).astype(np.float64))
    present = (draw.random((m, k)) < 0.9) & (draw.random((m, 1)) < 0.95)
    near = np.where(draw.random((m, 1)) < 0.5, spread, 1)
    return (draw.standard_normal((m, k)) * near * present).astype(np.float16)


def _activation_bits(rng: random.Random, machine: str) -> int:
    return rng.choice([4, 8]) if machine in INTEGERS else 0


def _converted_case(rng: random.Random, draw: np.random.Generator) -> Case:
    """Weights of another format than integers, through their memory image."""
    stored = make(rng.choice(CONVERTED), {})
    m, k, n = rng.randint(1, 3), 32 * rng.randint(1, 6), rng.randint(1, 4)
    encoded = stored.encode(draw.standard_normal((n, k)) * 2.0 ** draw.integers(-8, 4, (n, 1)))
    weights = stored.from_image(stored.image(encoded), (n, k))
    return Case(stored, _activations(draw, m, k), weights, 1, 0)


def expected(machine: str, case: Case) -> list[list[Fraction]]:
    """Accumulators, from the numbers that the case holds and from nothing of the code under test."""
    return [
        [_accumulator(machine, case, row, column) for column in range(case.weights.shape[0])]
        for row in fp16.to_codes(case.activations).tolist()
    ]


def _digits(bits: int) -> list[tuple[int, int]]:
    """Shift and width of each digit: one up to 4 bits, else two, the low one no narrower."""
    low = bits if bits <= 4 else (bits + 1) // 2
    return [(0, low)] if bits <= 4 else [(0, low), (low, bits - low)]


def _accumulator(machine: str, case: Case, row: list[int], column: int) -> Fraction:
    if machine in INTEGERS:
        return _of_integers(case, row, column)
    terms = _converted(case, row, column) if machine == "fp-fp" else _summed(machine, case, row, column)
    total = Fraction(0)
    for term in terms:
        total = binary32(total + term)
    return total


def _parts(case: Case, column: int, k: int) -> tuple[int, int, Fraction, Fraction]:
    """Code, zero, scale and minimum of a weight."""
    assert isinstance(case.weights, IntegerTensor)
    group, place = divmod(k, case.weights.group_size)
    minimums = case.weights.minimums
    return (
        int(case.weights.codes[column, group, place]),
        int(case.weights.zeros[column, group]),
        Fraction(float(case.weights.scales[column, group])),
        Fraction(0) if minimums is None else Fraction(float(minimums[column, group])),
    )


def _converted(case: Case, row: list[int], column: int) -> Iterator[Fraction]:
    for k, code in enumerate(row):
        if isinstance(case.weights, HalfTensor):
            yield binary32(Fraction(value(code)) * Fraction(value(int(case.weights.codes[column, k]))))
            continue
        of_weight, zero, scale, minimum = _parts(case, column, k)
        half = Fraction(binary16((of_weight - zero) * scale + minimum))
        yield binary32(Fraction(value(code)) * half)


def _of_integers(case: Case, row: list[int], column: int) -> Fraction:
    """An int32 sum for every scale of the weights, whatever the digits; at last the token's scale."""
    assert isinstance(case.weights, IntegerTensor)
    own, size = token_integers(row, case.activation_bits), case.weights.group_size
    parts = [_parts(case, column, k) for k in range(len(row))]
    sums = [(at, min(at + size, len(row)), parts[at][2]) for at in range(0, len(row), size)]
    scale = Fraction(value(token_scale(row, case.activation_bits)))
    return token_gemm(own, scale, [code - zero for code, zero, _, _ in parts], sums)


def _summed(machine: str, case: Case, row: list[int], column: int) -> Iterator[Fraction]:
    length = case.mantissa_bits if machine == "anda-hpca25" else BUILT_IN_LENGTHS.get(machine)
    for g, group in enumerate(groups(row, GROUP_SIZE)):
        first = g * GROUP_SIZE
        scale = _parts(case, column, first)[2]
        numbers = integers(group, length) if length else [Fraction(value(code)) for code in group]
        worth = unit(exponent(group), length) if length else Fraction(1)
        assert isinstance(case.weights, IntegerTensor)
        for shift, width in _digits(case.weights.bits):
            dot = Fraction(0)
            for k in range(first, min(first + GROUP_SIZE, len(row))):
                code, zero, _, _ = _parts(case, column, k)
                dot += numbers[k - first] * ((code >> shift) % 2**width - (zero >> shift) % 2**width)
            yield binary32(binary32(dot) * binary32(worth * scale * 2**shift))
