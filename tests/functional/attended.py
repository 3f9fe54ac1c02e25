"""Random attentions of a row block, and what each PE and the softmax make of them in integers and fractions.

But for `computed`, which asks it, nothing here uses the code under test.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, getcontext
from fractions import Fraction
from math import floor

import numpy as np
from numpy.typing import NDArray

from sim.functional.attention import AttentionArithmetic, CachedHead
from sim.units.processing_element import ProcessingElement
from tests.formats.oracle import (
    binary16,
    binary32,
    exponent,
    groups,
    integers,
    token_integers,
    token_scale,
    unit,
    value,
)
from tests.functional.oracles import BUILT_IN_LENGTHS, GROUP_SIZE

MACHINES = ("anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8")

getcontext().prec = 60
TABLE = [int((Decimal(2) ** (16 - Decimal(i) / 64)).to_integral_value()) for i in range(65)]


@dataclass(frozen=True, eq=False)
class AttendedCase:
    """Queries, keys and values of a head, FP16; `bits` of a cached integer, None: FP16."""

    queries: NDArray[np.float16]
    keys: NDArray[np.float16]
    values: NDArray[np.float16]
    visible: NDArray[np.bool_]
    bits: int | None
    query_bits: int
    probability_bits: int
    key_block: int


def random_attended(seed: int, machine: str) -> AttendedCase:
    """A few rows, up to 200 keys in several blocks, masks of many kinds, scores close together and far apart."""
    rng, draw = random.Random(f"{machine} {seed}"), np.random.default_rng(seed)
    rows, keys = rng.randint(1, 2), rng.choice([1, rng.randint(1, 64), rng.randint(60, 200), rng.randint(100, 200)])
    size, value_size = rng.choice([1, 20, 64, 80]), rng.randint(1, 3)
    spread = 2.0 ** rng.randint(-6, 4) / size**0.5
    queries = (draw.standard_normal((rows, size)) * spread).astype(np.float16)
    held = draw.standard_normal((keys, size)) * 2.0 ** draw.integers(-2, 3, (keys, 1))
    if rng.random() < 0.3:  # scores that rise, so that every block has a new maximum
        held = np.sort(held @ queries[0].astype(float))[:, np.newaxis] * queries[0].astype(float) / (1 + spread**2)
    if rng.random() < 0.1:
        queries[:] = 0  # ties: every key counts alike
    values = draw.standard_normal((keys, value_size)) * 2.0 ** draw.integers(-12, 6, (keys, 1))
    visible = draw.random((rows, keys)) < rng.choice([0.1, 0.5, 2])
    if rng.random() < 0.5:
        visible &= np.arange(keys) <= np.arange(rows)[:, np.newaxis] + rng.randint(0, keys)
    if rng.random() < 0.3:
        visible &= np.arange(keys) >= rng.randint(0, keys)  # a window: blocks that no row sees
    for row in range(rows):
        visible[row, rng.randrange(keys)] = True
    return AttendedCase(
        queries,
        held.clip(-60000, 60000).astype(np.float16),
        values.astype(np.float16),
        visible,
        rng.choice([None, None, 8, 4, 3]) if machine == "fp-fp" else rng.choice([8, 4, 3]),
        rng.randint(1, 16),
        rng.randint(1, 16),
        GROUP_SIZE * rng.randint(1, 3),
    )


def power_of_two(number: Fraction) -> Fraction:
    """2 to a number that is not positive."""
    steps = floor(-number * 2**16)
    if steps >= 32 * 2**16:
        return Fraction(0)
    index, low = divmod(steps % 2**16, 2**10)
    return Fraction(TABLE[index] - (TABLE[index] - TABLE[index + 1]) * low // 2**10, 2 ** (16 + steps // 2**16))


def tree(numbers: Sequence[Fraction]) -> Fraction:
    """The sum of as many numbers as a power of two, halves first."""
    if len(numbers) == 1:
        return numbers[0]
    half = len(numbers) // 2
    return binary32(tree(numbers[:half]) + tree(numbers[half:]))


def code(number: Fraction | float) -> int:
    """The FP16 code of a number that FP16 holds."""
    bits: int = struct.unpack("<H", struct.pack("<e", float(number)))[0]
    assert Fraction(value(bits)) == number
    return bits


@dataclass(frozen=True)
class Stored:
    """A column of a product: integers under a scale, or FP16 numbers under none."""

    numbers: Sequence[int | Fraction]
    scale: Fraction
    bits: int | None


def product(machine: str, row: Sequence[int], column: Stored, mantissa_bits: int) -> Fraction | float:
    """One output, in FP16, of FP16 codes and a column."""
    accumulator = Fraction(0)
    for term in _terms(machine, row, column, mantissa_bits):
        accumulator = binary32(accumulator + term)
    return binary16(accumulator)


def _terms(machine: str, row: Sequence[int], column: Stored, mantissa_bits: int) -> Iterator[Fraction]:
    if machine == "fp-fp":
        for one, number in zip(row, column.numbers, strict=True):
            yield binary32(Fraction(value(one)) * Fraction(binary16(number * column.scale)))
        return
    length = mantissa_bits if machine == "anda-hpca25" else BUILT_IN_LENGTHS.get(machine)
    for g, group in enumerate(groups(row, GROUP_SIZE)):
        held = column.numbers[g * GROUP_SIZE : (g + 1) * GROUP_SIZE]
        own = integers(group, length) if length else [Fraction(value(one)) for one in group]
        worth = unit(exponent(group), length) if length else Fraction(1)
        for shift, digit in _digits(column.bits):
            dot = sum((Fraction(a) * digit(int(w)) for a, w in zip(own, held, strict=False)), Fraction(0))
            yield binary32(binary32(dot) * binary32(worth * column.scale * 2**shift))


def _digits(bits: int | None) -> list[tuple[int, Callable[[int], int]]]:
    """Of INT8 the low four bits as they are and the high four with their sign; narrower integers whole."""
    if bits == 8:
        return [(0, lambda w: w % 16), (4, lambda w: w // 16)]
    return [(0, lambda w: w)]


def stored(rows: NDArray[np.float16], bits: int | None) -> tuple[list[list[int | Fraction]], list[Fraction]]:
    """Tokens as the cache keeps them, and their scales."""
    codes = rows.view(np.uint16).tolist()
    if bits is None:
        return [[Fraction(value(one)) for one in row] for row in codes], [Fraction(1)] * len(codes)
    return [[*token_integers(row, bits)] for row in codes], [Fraction(value(token_scale(row, bits))) for row in codes]


Attended = list[tuple[Fraction, list[Fraction], list[Fraction | float]]]


def computed(pe: ProcessingElement, case: AttendedCase) -> Attended:
    """What the simulator makes of a case; as `attended`."""
    arithmetic = AttentionArithmetic(pe, case.query_bits, case.probability_bits, GROUP_SIZE, case.key_block)
    head = CachedHead.quantise(case.keys, case.values, case.bits)
    made = arithmetic.attend(case.queries, head, case.visible)
    parts = zip(made.sums.tolist(), made.accumulators.tolist(), made.outputs.tolist(), strict=True)
    return [(Fraction(total), [*map(Fraction, row)], [*map(Fraction, output)]) for total, row, output in parts]


def attended(machine: str, case: AttendedCase) -> Attended:
    """Of each row the sum, the outputs before the division, and those after it."""
    keys, key_scales = stored(case.keys, case.bits)
    values, value_scales = stored(case.values, case.bits)
    found = []
    for row, query in enumerate(case.queries.view(np.uint16).tolist()):
        maximum, total = Fraction(-65504), Fraction(0)
        outputs = [Fraction(0)] * len(values[0])
        for first in range(0, len(keys), case.key_block):
            block = range(first, min(first + case.key_block, len(keys)))
            seen = {
                k: Fraction(product(machine, query, Stored(keys[k], key_scales[k], case.bits), case.query_bits))
                for k in block
                if case.visible[row, k]
            }
            above = max([maximum, *seen.values()])
            rescale = power_of_two(binary32(maximum - above))
            powers = [power_of_two(binary32(seen[k] - above)) if k in seen else Fraction(0) for k in block]
            maximum, total = above, binary32(total * rescale)
            for group in range(0, len(powers), GROUP_SIZE):
                part = powers[group : group + GROUP_SIZE]
                total = binary32(total + tree(part + [Fraction(0)] * (GROUP_SIZE - len(part))))
            weights = [
                code(binary16(power if case.bits is None else binary32(power * value_scales[k])))
                for k, power in zip(block, powers, strict=True)
            ]
            for channel, output in enumerate(outputs):
                column = Stored([values[k][channel] for k in block], Fraction(1), case.bits)
                partial = Fraction(product(machine, weights, column, case.probability_bits))
                outputs[channel] = binary32(binary32(output * rescale) + partial)
        reciprocal = binary32(1 / total)
        found.append((total, outputs, [binary16(binary32(output * reciprocal)) for output in outputs]))
    return found
