"""How a cell is judged."""

from __future__ import annotations

import math

import pytest

from sim.reproduce.cells import (
    ENERGY,
    EXACT,
    FLOOR,
    POINTS,
    RATIO,
    SAVING,
    UNEXPLAINED,
    PaperCell,
    PaperSection,
    Table,
    Verdict,
)
from sim.reproduce.cells import alone as simulated_alone
from sim.reproduce.remarks import explained


@pytest.mark.parametrize(
    ("tolerance", "paper", "inside", "outside"),
    [
        (RATIO, 2.0, 2.04, 2.041),
        (RATIO, 2.0, 1.96, 1.959),
        (ENERGY, 2.0, 2.1, 2.101),
        (SAVING, 2.0, 2.0099, 2.011),
        (POINTS, 48.0, 46.0, 45.9),
        (FLOOR, 90.0, 90.0, 89.9),
        (FLOOR, 90.0, 99.0, 0.0),
        (EXACT, 7765.0, 7765.0, 7766.0),
    ],
)
def test_a_cell_is_within_up_to_its_limit(tolerance, paper, inside, outside) -> None:  # type: ignore[no-untyped-def]
    assert PaperCell("row", "column", math.nextafter(inside, paper), paper, tolerance).verdict is Verdict.WITHIN
    assert PaperCell("row", "column", outside, paper, tolerance).verdict is Verdict.OUTSIDE


def test_an_input_is_never_a_match_and_needs_no_reason() -> None:
    for value in (1.0, 5.0):
        cell = PaperCell("row", "column", value, 1.0, is_input=True)
        assert cell.verdict is Verdict.INPUT
        assert not cell.needs_reason


def test_an_exemption_pardons_only_what_is_outside() -> None:
    assert PaperCell("row", "column", 1.0, 1.0, exempt=True).verdict is Verdict.WITHIN
    assert PaperCell("row", "column", 2.0, 1.0, exempt=True).verdict is Verdict.EXEMPT


def test_without_a_printed_number_there_is_nothing_to_judge() -> None:
    cell = simulated_alone("row", "column", 3.0)
    assert (cell.difference, cell.verdict, cell.needs_reason) == (None, Verdict.ALONE, False)


def test_within_five_percent_but_beyond_two_a_reason_is_still_needed() -> None:
    assert PaperCell("row", "column", 1.03, 1.0, ENERGY).verdict is Verdict.WITHIN
    assert PaperCell("row", "column", 1.03, 1.0, ENERGY).needs_reason


def test_a_miss_that_no_remark_is_about_is_unexplained() -> None:
    table = Table("means", "x", (PaperCell("nobody", "times", 3.0, 1.0), PaperCell("nobody", "modules", 1.0, 1.0)))
    missing, matching = explained(PaperSection("speedup", "Speedup", (table,))).tables[0].cells
    assert (missing.reason, missing.verdict) == (UNEXPLAINED, Verdict.OUTSIDE)
    assert matching.reason == ""
