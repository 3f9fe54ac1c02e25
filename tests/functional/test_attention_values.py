"""Attention's values equal integers and fractions: both products on every kind of PE, and the softmax between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats import softmax
from sim.formats.softmax import OnlineSoftmax, power_of_two, tree_sums
from sim.formats.token_integer import TokenIntegers
from sim.functional.attention import AttentionArithmetic, CachedHead
from sim.machine.machine import Machine
from tests.functional import attended
from tests.functional.attended import MACHINES, AttendedCase, random_attended


def found(machine: str, case: AttendedCase) -> attended.Attended:
    return attended.computed(Machine(load_arch(machine)).pe, case)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("seed", range(12))
def test_every_output_equals_integers_and_fractions(machine: str, seed: int) -> None:
    case = random_attended(seed, machine)
    assert found(machine, case) == attended.attended(machine, case)


def test_random_cases_are_what_they_are_meant_to_be() -> None:
    cases = [random_attended(seed, machine) for machine in MACHINES for seed in range(12)]
    blocks = [-(-len(case.keys) // case.key_block) for case in cases]
    unseen = [
        not case.visible[:, first : first + case.key_block].any()
        for case in cases
        for first in range(0, len(case.keys), case.key_block)
    ]
    assert sum(count > 1 for count in blocks) >= 20
    assert any(unseen)
    assert {case.bits for case in cases} == {None, 8, 4, 3}


def test_the_power_of_two_of_every_fraction_is_that_of_integers_and_close_to_the_true_one() -> None:
    steps = np.concatenate([np.arange(1 << 16), (31 << 16) + np.arange(0, 1 << 16, 97)])
    arguments = (-steps / 2**16).astype(np.float32)
    made = power_of_two(arguments)
    assert [Fraction(x) for x in made.tolist()] == [attended.power_of_two(Fraction(x)) for x in arguments.tolist()]
    # Arguments up to the next step have the same power.
    exact = np.exp2(-steps / 2**16)
    assert (made / exact).min() > 1 - 2e-5
    assert (made / exact * 2 ** (1 / 2**16)).max() < 1 + 7e-5
    assert (np.diff(made[: 1 << 16]) <= 0).all(), "it never rises as the argument falls"


@pytest.mark.parametrize("argument", [0.0, -0.0, -(2.0**-30), -31.999998, -32.0, -1e5, -131008.0])
def test_powers_at_the_ends(argument: float) -> None:
    [made] = power_of_two(np.array([argument], np.float32)).tolist()
    assert Fraction(made) == attended.power_of_two(Fraction(float(np.float32(argument))))


def test_the_table_is_to_the_nearest_integer() -> None:
    assert softmax.TABLE.tolist() == attended.TABLE


@pytest.mark.parametrize("count", [1, 2, 3, 5, 63, 64, 100])
def test_sums_are_trees_of_neighbours(count: int) -> None:
    values = np.random.default_rng(count).random((50, count)).astype(np.float32) ** 8
    padded = [[Fraction(x) for x in row] + [Fraction(0)] * (128 - count) for row in values.tolist()]
    assert [Fraction(x) for x in tree_sums(values).tolist()] == [attended.tree(row) for row in padded]
    in_order = np.add.accumulate(values, axis=-1, dtype=np.float32)[:, -1]
    assert count <= 3 or (in_order != tree_sums(values)).any(), "the order matters"


def _faults() -> dict[str, tuple[Any, str, Any]]:
    """Of each: what is replaced, its name, and by what."""
    weigh, finish, power, tree = OnlineSoftmax.weigh, OnlineSoftmax.finish, power_of_two, tree_sums

    def whole(self: OnlineSoftmax, scores: Any, visible: Any, scales: Any) -> Any:
        return weigh(self, scores, np.ones_like(visible), scales)

    def unscaled(self: OnlineSoftmax, scores: Any, visible: Any, scales: Any) -> Any:
        return weigh(self, scores, visible, None)

    def not_rescaled(self: OnlineSoftmax, partial: Any, rescale: Any) -> None:
        self.outputs = self.outputs + partial.astype(np.float32)

    def late(self: OnlineSoftmax, partial: Any, rescale: Any) -> None:
        self.outputs = (self.outputs + partial.astype(np.float32)) * rescale[:, np.newaxis]

    def fused(self: OnlineSoftmax, partial: Any, rescale: Any) -> None:
        exact = self.outputs.astype(np.float64) * rescale[:, np.newaxis] + partial
        self.outputs = exact.astype(np.float32)

    def truncated(self: OnlineSoftmax) -> Any:
        made = finish(self)
        return replace(made, outputs=(made.outputs.view(np.uint16) - np.uint16(1)).view(np.float16))

    def in_order(values: Any) -> Any:
        return np.add.accumulate(values, axis=-1, dtype=np.float32)[..., -1]

    def true_power(exponents: Any) -> Any:
        return np.where(exponents > -32, np.exp2(exponents.astype(np.float64)), 0).astype(np.float32)

    def nearest(exponents: Any) -> Any:
        return power(-np.rint(-exponents.astype(np.float64) * 2**16).astype(np.float32) / np.float32(2**16))

    def doubled(values: Any) -> Any:
        return np.float32(2) * tree(values)

    return {
        "masked keys count": (OnlineSoftmax, "weigh", whole),
        "V's scales are forgotten": (OnlineSoftmax, "weigh", unscaled),
        "outputs are not rescaled": (OnlineSoftmax, "add", not_rescaled),
        "the block is rescaled too": (OnlineSoftmax, "add", late),
        "rescale and sum are fused": (OnlineSoftmax, "add", fused),
        "outputs are a step too small": (OnlineSoftmax, "finish", truncated),
        "sums in the order of keys": (softmax, "tree_sums", in_order),
        "sums twice as large": (softmax, "tree_sums", doubled),
        "a power of two without table": (softmax, "power_of_two", true_power),
        "the argument is rounded to nearest": (softmax, "power_of_two", nearest),
    }


@pytest.mark.parametrize("fault", _faults())
def test_a_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, replacement = _faults()[fault]
    monkeypatch.setattr(owner, name, replacement)
    cases = ((machine, random_attended(seed, machine)) for seed in range(60) for machine in ("anda-hpca25", "fp-int"))
    assert any(found(machine, case) != attended.attended(machine, case) for machine, case in cases)


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("query_bits", lambda case: replace(case, query_bits=case.query_bits % 16 + 1)),
        ("probability_bits", lambda case: replace(case, probability_bits=case.probability_bits % 16 + 1)),
        ("bits", lambda case: replace(case, bits=4 if case.bits != 4 else 8)),
        ("key_block", lambda case: replace(case, key_block=64 if case.key_block > 64 else 128)),
    ],
)
def test_each_choice_changes_values(part: str, fault: Callable[[AttendedCase], AttendedCase]) -> None:
    cases = [random_attended(seed, "anda-hpca25") for seed in range(30)]
    assert any(found("anda-hpca25", case) != found("anda-hpca25", fault(case)) for case in cases), part


def test_blocks_lose_next_to_nothing_against_a_softmax_in_binary64() -> None:
    rng = np.random.default_rng(1)
    queries, keys = (rng.standard_normal((count, 64)).astype(np.float16) for count in (40, 300))
    values = rng.standard_normal((300, 32)).astype(np.float16)
    head = CachedHead.quantise(keys, values, None)
    made = AttentionArithmetic(Machine(load_arch("fp-fp")).pe, None, None, 64, 128)
    outputs = made.attend(queries, head, np.ones((40, 300), bool)).outputs
    exact = np.exp2(queries.astype(float) @ keys.astype(float).T)
    expected = exact @ values.astype(float) / exact.sum(axis=1, keepdims=True)
    # Scores and P are rounded to FP16: 2^-11 of scores of some 30.
    assert abs(outputs - expected).max() < 30 * 2**-11 * np.log(2) * abs(expected).max()


@pytest.mark.parametrize("window", [None, 70, 130])
def test_pages_done_at_once_are_pages_done_one_by_one(window: int | None) -> None:
    # Key blocks begin with the oldest page that a page of queries sees; 200 tokens in pages of 32.
    rng, tokens, page = np.random.default_rng(2), 200, 32
    queries = rng.standard_normal((2, tokens, 64)).astype(np.float16)
    keys, values = (rng.standard_normal((tokens, size)).astype(np.float16) for size in (64, 16))
    distance = np.arange(tokens)[:, np.newaxis] - np.arange(tokens)
    visible = (distance >= 0) & (distance < (window or tokens))
    arithmetic = AttentionArithmetic(Machine(load_arch("anda-hpca25")).pe, 6, 8, 64, 64)
    head = CachedHead.quantise(keys, values, 8)
    found = arithmetic.attend_by_pages(queries, head, visible, page)
    for first in range(0, tokens, page):
        rows = slice(first, first + page)
        oldest = max(0, first + 1 - window) // page * page if window else 0
        seen = slice(oldest, min(first + page, tokens))
        for one in range(2):
            expected = arithmetic.attend(queries[one, rows], head.part(seen), visible[rows, seen])
            np.testing.assert_array_equal(found[one, rows], expected.outputs)


def test_a_row_that_sees_no_key_and_scores_beyond_fp16_are_refused() -> None:
    arithmetic = AttentionArithmetic(Machine(load_arch("anda-hpca25")).pe, 8, 8, 64, 64)
    ones = np.ones((1, 64), np.float16)
    head = CachedHead.quantise(ones, ones, 8)
    with pytest.raises(InputError, match="row 0 sees no key"):
        arithmetic.attend(ones, head, np.zeros((1, 1), bool))
    huge = CachedHead.quantise(ones * np.float16(3e4), ones, 8)
    with pytest.raises(InputError, match="a score is beyond FP16"):
        arithmetic.attend(ones, huge, np.ones((1, 1), bool))
    with pytest.raises(InputError, match="keys: nan"):
        CachedHead.quantise(ones * np.float16(np.nan), ones, 8)
    with pytest.raises(InputError, match=r"a mask of \(1, 2\)"):
        arithmetic.attend(ones, head, np.ones((1, 2), bool))


def test_integers_of_the_cache_are_those_of_the_quantiser() -> None:
    keys = np.random.default_rng(3).standard_normal((9, 80)).astype(np.float16)
    for bits in (8, 4, 3):
        head = CachedHead.quantise(keys, keys, bits)
        np.testing.assert_array_equal(head.key_columns.decode(), TokenIntegers.quantise(keys, bits).decode())
