"""Random GeMMs with weights of every width, and each shipped machine's outputs of them in integers and fractions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sim.formats import fp16
from sim.formats.integer import IntegerTensor
from sim.formats.weights.integer import IntegerWeights
from tests.formats.oracle import binary16, binary32, exponent, groups, integers, unit, value
from tests.functional.oracles import BUILT_IN_LENGTHS, GROUP_SIZE

MACHINES = ("anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna")


@dataclass(frozen=True, eq=False)
class Case:
    stored: IntegerWeights
    activations: NDArray[np.float16]
    weights: IntegerTensor
    mantissa_bits: int


def random_case(seed: int, machine: str) -> Case:
    """A small GeMM; codes, zeros and scales are drawn, not encoded, so that all of them occur."""
    rng, draw = random.Random(f"{machine} {seed}"), np.random.default_rng(seed)
    converts = machine == "fp-fp"
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
    spread = np.exp2(draw.integers(-24, 8, (m, k)).astype(np.float64))
    activations = (draw.standard_normal((m, k)) * spread * (draw.random((m, k)) < 0.9)).astype(np.float16)
    weights = IntegerTensor(
        codes.reshape(n, count, group).astype(np.uint8), scales, zeros.astype(np.uint8), k, bits, minimums
    )
    if bits > 1 and rng.random() < 0.2:  # of some planes: integers of one bit more
        weights = weights.planes(rng.randint(1, bits - 1))
        stored = replace(stored, bits=weights.bits)
    return Case(stored, activations, weights, rng.randint(1, 16))


def expected(machine: str, case: Case) -> list[list[Fraction]]:
    """Accumulators, from the numbers that the case holds and from nothing of the code under test."""
    return [
        [_accumulator(machine, case, row, column) for column in range(case.weights.codes.shape[0])]
        for row in fp16.to_codes(case.activations).tolist()
    ]


def _digits(bits: int) -> list[tuple[int, int]]:
    """Shift and width of each digit: one up to 4 bits, else two, the low one no narrower."""
    low = bits if bits <= 4 else (bits + 1) // 2
    return [(0, low)] if bits <= 4 else [(0, low), (low, bits - low)]


def _accumulator(machine: str, case: Case, row: list[int], column: int) -> Fraction:
    terms = _converted(case, row, column) if machine == "fp-fp" else _summed(machine, case, row, column)
    total = Fraction(0)
    for term in terms:
        total = binary32(total + term)
    return total


def _parts(case: Case, column: int, k: int) -> tuple[int, int, Fraction, Fraction]:
    """Code, zero, scale and minimum of a weight."""
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
        of_weight, zero, scale, minimum = _parts(case, column, k)
        half = Fraction(binary16((of_weight - zero) * scale + minimum))
        yield binary32(Fraction(value(code)) * half)


def _summed(machine: str, case: Case, row: list[int], column: int) -> Iterator[Fraction]:
    length = case.mantissa_bits if machine == "anda-hpca25" else BUILT_IN_LENGTHS.get(machine)
    for g, group in enumerate(groups(row, GROUP_SIZE)):
        first = g * GROUP_SIZE
        scale = _parts(case, column, first)[2]
        numbers = integers(group, length) if length else [Fraction(value(code)) for code in group]
        worth = unit(exponent(group), length) if length else Fraction(1)
        for shift, width in _digits(case.stored.bits):
            dot = Fraction(0)
            for k in range(first, min(first + GROUP_SIZE, len(row))):
                code, zero, _, _ = _parts(case, column, k)
                dot += numbers[k - first] * ((code >> shift) % 2**width - (zero >> shift) % 2**width)
            yield binary32(binary32(dot) * binary32(worth * scale * 2**shift))
