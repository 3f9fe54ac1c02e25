"""The order of the search is the published one; what it finds is compared with trying everything."""

from __future__ import annotations

import random
from itertools import product

import pytest

from records.precision_search import monotone, rough, tally_random
from sim.precision_search.search import BitOperations, best_of, exhaustive, lengths, search

D, F = 768, 3072
OPT_125M = BitOperations((3 * D * D, D * D, D * F, D * F))
EQUAL = BitOperations((1, 1, 1, 1))


def test_the_published_sequence_of_opt_125m():
    # Anda, HPCA 2025: visited tuples and whether each kept the accuracy.
    published = [
        ((4, 4, 4, 4), False),
        ((5, 5, 5, 5), False),
        ((6, 6, 6, 6), False),
        ((7, 7, 7, 7), True),
        ((7, 7, 6, 7), True),
        ((7, 7, 5, 7), False),
        ((7, 7, 6, 6), True),
        ((7, 7, 5, 6), False),
        ((7, 7, 6, 5), True),
        ((7, 7, 5, 5), False),
    ]
    outcomes = dict(published)
    visits = list(search(lambda tried: 0.0 if outcomes[tried] else 2.0, 1.0, OPT_125M, iterations=10))
    assert [(visit.precision, visit.accepted) for visit in visits] == published
    assert best_of(visits).precision == (7, 7, 6, 5)


def test_bit_operations_and_savings_by_hand():
    # W4A16: 64 a multiply-accumulate; 7,7,6,5 on 3:1:4:4 parts is 4 (7 x 3 + 7 + 6 x 4 + 5 x 4) / 12
    cost = BitOperations((3, 1, 4, 4))
    assert cost.of((7, 7, 6, 5)) == 4 * (21 + 7 + 24 + 20)
    assert cost.saving((7, 7, 6, 5)) == (16 * 12) / (21 + 7 + 24 + 20)


def test_it_stops_after_so_many_evaluations():
    assert len(list(search(lambda tried: 0.0, 1.0, OPT_125M, iterations=5))) == 5


def test_where_nothing_passes_only_the_uniform_tuples_are_tried():
    visits = list(search(lambda tried: 2.0, 1.0, OPT_125M))
    assert [visit.precision for visit in visits] == [(bits,) * 4 for bits in range(4, 14)]
    assert best_of(visits) is None


def test_no_tuple_goes_below_one_bit_or_comes_twice():
    visits = [visit.precision for visit in search(lambda tried: 0.0, 1.0, EQUAL, iterations=1000)]
    assert visits[-1] == (1, 1, 1, 1)
    assert len(visits) == len(set(visits))


@pytest.mark.parametrize("function", [monotone, rough])
def test_the_exhaustive_search_finds_the_least_bit_operations_that_pass(function):
    for seed in range(5):
        perplexity = function(random.Random(seed))
        tried = {p: perplexity(p) for p in product(range(4, 9), repeat=4)}
        passing = [OPT_125M.of(p) for p, value in tried.items() if value <= 0.1]
        visits = list(exhaustive(tried.__getitem__, 0.1, OPT_125M, range(4, 9)))
        best = best_of(visits)
        assert (best.bit_operations if best else None) == min(passing, default=None)


@pytest.mark.parametrize("function", [monotone, rough])
def test_on_random_functions_it_ends_where_no_bit_can_be_taken_away(function):
    for seed in range(20):
        perplexity = function(random.Random(seed))
        best = best_of(list(search(perplexity, 0.1, OPT_125M, iterations=10_000)))
        if best is None:
            assert all(perplexity((bits,) * 4) > 0.1 for bits in range(4, 14))
            continue
        assert perplexity(best.precision) <= 0.1
        neighbours = [tuple(b - (i == j) for j, b in enumerate(best.precision)) for i in range(4)]
        assert all(perplexity(one) > 0.1 for one in neighbours if min(one) >= 1)


def test_the_study_counts_optima_by_trying_every_tuple():
    tally = tally_random(monotone, range(4), range(4, 9), iterations=32)
    assert tally.functions == 4
    assert tally.optimal <= tally.solved <= tally.solvable <= 4
    assert all(excess >= 0 for excess in tally.excesses)
    assert tally.excesses.count(0) == tally.optimal


def test_a_monotone_function_of_one_module_alone_is_solved_exactly():
    for shortest in range(2, 12):
        visits = list(search(lambda tried, s=shortest: 0.0 if tried[2] >= s else 1.0, 0.5, OPT_125M, 10_000))
        assert best_of(visits).precision == (1, 1, shortest, 1)


def test_planes_of_weights_are_searched_with_the_lengths():
    """Starts whole; a neighbour has one bit less of a length or of a width; bit operations are M x W."""
    cost = BitOperations((3, 1, 4, 4), planes=4)
    assert cost.of((8, 7, 6, 5, 4, 3, 2, 1)) == 3 * 8 * 4 + 7 * 3 + 4 * 6 * 2 + 4 * 5 * 1
    assert cost.saving((8, 8, 8, 8, 2, 2, 2, 2)) == (16 * 4) / (8 * 2)
    fine = (6, 6, 5, 5, 3, 4, 3, 2)

    def perplexity(tried):
        return 0.0 if all(one >= least for one, least in zip(tried, fine, strict=True)) else 1.0

    visits = list(search(perplexity, 0.5, cost, iterations=10_000))
    assert visits[0].precision == (4, 4, 4, 4, 4, 4, 4, 4)
    assert best_of(visits).precision == fine
    for visit in visits:
        assert visit.bit_operations == cost.of(visit.precision)
        assert visit.accepted == (perplexity(visit.precision) == 0)
    whole = [visit.precision[:4] for visit in visits if visit.precision[4:] == (4, 4, 4, 4)]
    assert len(whole) == len(set(whole)) < len(visits)
    assert lengths(fine) == "6,6,5,5 x 3,4,3,2"
