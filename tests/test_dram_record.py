"""DRAM as banks beside two reference simulators, recorded: made by this model, and as good as is said."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from benchmarks.dram.__main__ import RECORD
from benchmarks.dram.cases import cases
from benchmarks.dram.energy import picojoules
from benchmarks.dram.model import clocks
from benchmarks.dram.page import PAGE, drawn, errors, outside
from benchmarks.dram.references import ini, traced
from sim.units.dram.banks.standards import standards

SAMPLE = 5
"""Every so many cases are played again."""


@cache
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


@pytest.mark.parametrize("offset", range(SAMPLE - 2, SAMPLE))
def test_the_model_takes_the_recorded_clocks(offset: int) -> None:
    rows = record()["cases"]
    played = list(cases())
    assert [(case.standard, case.name, case.bursts) for case in played] == [
        (row["standard"], row["case"], row["bursts"]) for row in rows
    ]
    for case, row in list(zip(played, rows, strict=True))[offset::SAMPLE]:
        assert clocks(case) == row["model"], (case.standard, case.name)
        if "model_picojoules" in row:
            assert picojoules(case) == pytest.approx(row["model_picojoules"], rel=1e-12)


def test_the_page_is_drawn_from_the_record() -> None:
    assert drawn(record()) in PAGE.read_text()


def test_distances_to_the_references_are_what_the_page_promises() -> None:
    rows = record()["cases"]
    assert len(rows) >= 100
    assert {row["standard"] for row in rows} == set(standards())
    assert errors(rows).mean <= 0.014
    usual = [row for row in rows if row["kind"] != "scattered"]
    assert errors(usual).mean <= 0.006
    assert errors(usual).ninetieth <= 0.026
    assert errors(usual).worst <= 0.06
    assert len(outside(rows)) <= 5
    for row in rows:
        if "model_picojoules" in row:
            assert row["model_picojoules"] == pytest.approx(row["dramsim3_picojoules"], rel=0.02)


def test_the_references_are_told_the_same_traffic_and_timings() -> None:
    case = next(case for case in cases() if case.kind == "loop" and case.channels > 1)
    head, windows, sizes, *lines = traced(case, standards()[case.standard]).splitlines()
    assert head.split()[:2] == [str(case.channels), "3"]
    assert windows == " ".join(map(str, case.windows))
    assert sizes == "4 4 32"
    assert len(lines) == len(case.transfers)
    fields = list(map(int, lines[-1].split()))
    last = case.transfers[-1]
    assert fields == [last.port, last.arrival, last.write, case.channels, *(n for run in last.runs for n in run)]
    described = ini("HBM2", standards()["HBM2"])
    for line in ("tCK = 1.0", "tRCDRD = 14", "tFAW = 15", "tRTRS = 2", "IDD4R = 390", "protocol = HBM"):
        assert line in described
