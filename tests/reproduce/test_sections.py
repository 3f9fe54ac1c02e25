"""Sections of which the numbers can be told without a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.errors import InputError
from sim.reproduce.bench import CaseResults
from sim.reproduce.published import published
from sim.reproduce.sections import contradictions, search, shares
from sim.reproduce.systems import energy_ratio, geometric_mean, speedup, systems
from sim.runs.runs import Runs
from tests.results import simulated


@pytest.fixture
def bench() -> CaseResults:
    return CaseResults(Runs())


def test_the_paper_contradicts_itself_where_decisions_say_so(bench: CaseResults) -> None:
    section = contradictions.section(published(), bench)
    implied = {(table.name, cell.row): cell for table in section.tables for cell in table.cells}
    m8 = implied["energy efficiency", "FIGNA-M8"]
    assert (m8.simulated, m8.paper) == (pytest.approx((42 + 11 + 48) / (4 + 11 + 48)), 1.94)
    area = implied["totals of the area and power table", "area in mm²"]
    assert (area.simulated, area.paper) == (pytest.approx(0.41 + 0.07 + 0.05 + 0.87 + 0.80 + 0.01), 2.17)


def test_share_of_weight_gemms_is_that_of_the_shapes(bench: CaseResults) -> None:
    [table] = shares.section(published(), bench).tables
    cell = table.at("llama-7b", "2048")
    d, f, tokens, page, layers, words = 4096, 11008, 2048, 64, 32, 32000
    weights = layers * tokens * (4 * d * d + 3 * d * f)
    keys = sum(page * (first + page) for first in range(0, tokens, page))  # query-key pairs, whole pages
    attention = layers * 2 * keys * d
    assert cell is not None
    # The rest is the head of one token and the vector unit's work: well below one percent.
    assert cell.simulated / 100 == pytest.approx(weights / (weights + attention + d * words), rel=0.01)
    assert cell.simulated / 100 < weights / (weights + attention + d * words)


def test_the_two_means_are_what_they_say() -> None:
    base, own = simulated("fp-fp"), simulated("anda-hpca25", "clock.frequency_megahertz=570")
    assert speedup(base, own, "times") == pytest.approx(base.totals.cycles / (own.totals.cycles / 2))
    macs = {name: module.macs for name, module in own.modules.items()}
    faster = {name: base.modules[name].cycles / (own.modules[name].cycles / 2) for name in macs}
    frugal = {name: base.modules[name].energy_picojoules / own.modules[name].energy_picojoules for name in macs}
    for ratio, means in ((faster, speedup), (frugal, energy_ratio)):
        weighted = sum(ratio[name] * macs[name] for name in macs) / sum(macs.values())
        assert means(base, own, "modules") == pytest.approx(weighted, rel=1e-12)
        assert means(base, own, "modules") != pytest.approx(means(base, own, "times"), rel=1e-3)
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_systems_carry_the_names_of_the_figures() -> None:
    assert [system.label for system in systems(published())][-2:] == ["Anda 0.1 %", "Anda 1 %"]


def test_recorded_searches_are_read_in_the_order_of_their_tolerance(tmp_path: Path) -> None:
    for tolerance in (0.01, 0.001):
        folder = tmp_path / f"{tolerance}"
        folder.mkdir()
        record = {"model": "tiny-llama", "tolerance": tolerance, "best": {"precision": [7, 6, 6, 5]}, "visits": []}
        (folder / "search.json").write_text(json.dumps(record))
    assert [one.tolerance for one in search.recorded(tmp_path)] == [0.001, 0.01]
    (folder / "search.json").write_text("{}")
    with pytest.raises(InputError, match="not the record of a search"):
        search.recorded(tmp_path)
