"""A fault in Anda's timing shows on the page: a cycle more a group turns what hangs on it red, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.reproduce import bench
from sim.reproduce.cells import PaperCell, Role, Verdict
from sim.reproduce.published import Published, published
from sim.reproduce.sections import area, energy, speed
from sim.runs.runs import Runs
from sim.units.pe.anda import AndaPe

ANDA = ("Anda 0.1 %", "Anda 1 %")


@pytest.fixture
def fresh() -> Iterator[None]:
    """Machines are read once; those of a faulty PE must not stay."""
    bench._machine.cache_clear()
    yield
    bench._machine.cache_clear()


def three_systems() -> Published:
    """The paper with its baseline and Anda alone."""
    paper = published()
    kept = {name: row for name, row in paper.systems.machines.items() if row.arch in ("fp-fp", "anda-hpca25")}
    return paper.model_copy(update={"systems": paper.systems.model_copy(update={"machines": kept})})


def predictions() -> dict[tuple[str, str, str], PaperCell]:
    """Of the sections that Anda's time decides, by section, row and column."""
    bench._machine.cache_clear()
    cases, paper = bench.CaseResults(Runs()), three_systems()
    return {
        (section.name, cell.row, cell.column): cell
        for section in (make(paper, cases) for make in (speed.section, area.section, energy.breakdown))
        for table in section.tables
        for cell in table.cells
        if cell.role is Role.PREDICTED
    }


def test_a_cycle_more_a_group_turns_red_what_hangs_on_it(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    before = predictions()
    cycles, padding = AndaPe.cycles, AndaPe.padding_bits
    monkeypatch.setattr(AndaPe, "cycles", lambda self, bits: cycles(self, bits) + 1)
    monkeypatch.setattr(AndaPe, "padding_bits", lambda self, bits: padding(self, bits) + self.word_bits)
    after = predictions()
    affected = {name for name in before if name[1] in ANDA and name[2] != "sram"}
    assert {name[0] for name in affected} == {"speedup", "area", "breakdown"}
    assert len(affected) == 4 + 8 + 2
    assert sum(before[name].verdict is Verdict.WITHIN for name in affected) >= 9
    for name in affected:
        assert after[name].verdict is Verdict.OUTSIDE, name
        assert abs(after[name].difference or 0) > 0.07, name
    assert before["breakdown", "FP-FP", "sram"] == after["breakdown", "FP-FP", "sram"]
