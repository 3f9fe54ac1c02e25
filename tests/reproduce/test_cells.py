"""How a cell is judged."""

from __future__ import annotations

import math

import pytest

from sim.reproduce.cells import (
    ENERGY,
    RATIO,
    UNEXPLAINED,
    PaperCell,
    PaperSection,
    Role,
    Table,
    Verdict,
    score,
)
from sim.reproduce.cells import alone as simulated_alone
from sim.reproduce.remarks import explained


@pytest.mark.parametrize(
    ("tolerance", "paper", "inside", "outside"),
    [(RATIO, 2.0, 2.04, 2.041), (RATIO, 2.0, 1.96, 1.959), (ENERGY, 2.0, 2.1, 2.101), (ENERGY, 48.0, 45.6, 45.5)],
)
def test_a_prediction_is_within_up_to_its_limit(tolerance, paper, inside, outside) -> None:  # type: ignore[no-untyped-def]
    for value, verdict in ((math.nextafter(inside, paper), Verdict.WITHIN), (outside, Verdict.OUTSIDE)):
        assert PaperCell("row", "column", value, paper, Role.PREDICTED, tolerance).verdict is verdict


@pytest.mark.parametrize("role", [Role.INPUT, Role.FITTED])
def test_what_went_in_or_was_chosen_is_never_a_match(role: Role) -> None:
    for value in (1.0, 5.0):
        cell = PaperCell("row", "column", value, 1.0, role)
        assert cell.verdict == Verdict(role.value)
        assert score([cell]) is None
        assert cell.needs_reason == (role is Role.FITTED and value > 1)


def test_the_score_is_of_predictions_alone() -> None:
    cells = [PaperCell("row", str(value), value, 1.0, Role.PREDICTED) for value in (1.01, 0.5, 1.1)]
    cells += [PaperCell("row", "in", 1.0, 1.0, Role.INPUT), simulated_alone("row", "alone", 1.0)]
    found = score(cells)
    assert found is not None
    assert (found.predictions, found.within) == (3, 1)
    assert (found.median, found.largest) == (pytest.approx(0.1), pytest.approx(0.5))


def test_an_exemption_pardons_only_what_is_outside() -> None:
    assert PaperCell("row", "column", 1.0, 1.0, Role.PREDICTED, exempt=True).verdict is Verdict.WITHIN
    assert PaperCell("row", "column", 2.0, 1.0, Role.PREDICTED, exempt=True).verdict is Verdict.EXEMPT


def test_without_a_printed_number_there_is_nothing_to_judge() -> None:
    cell = simulated_alone("row", "column", 3.0)
    assert (cell.difference, cell.verdict, cell.needs_reason) == (None, Verdict.ALONE, False)


def test_within_five_percent_but_beyond_two_a_reason_is_still_needed() -> None:
    assert PaperCell("row", "column", 1.03, 1.0, Role.PREDICTED, ENERGY).verdict is Verdict.WITHIN
    assert PaperCell("row", "column", 1.03, 1.0, Role.PREDICTED, ENERGY).needs_reason


def test_a_miss_that_no_remark_is_about_is_unexplained() -> None:
    cells = tuple(
        PaperCell("nobody", name, value, 1.0, Role.PREDICTED) for name, value in (("times", 3.0), ("modules", 1.0))
    )
    table = Table("means", "x", cells)
    missing, matching = explained(PaperSection("speedup", "Speedup", (table,))).tables[0].cells
    assert (missing.reason, missing.verdict) == (UNEXPLAINED, Verdict.OUTSIDE)
    assert matching.reason == ""
