"""Cases are simulated as `simulate` does them, each different piece once, and not again while nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import load_arch, load_workload
from sim.errors import InputError
from sim.reproduce.bench import CaseResults, PaperCase
from sim.runs.runs import Runs
from sim.runs.store import Store
from sim.simulation import simulate

TOKENS = (("tokens", 32),)
LAYER = (
    *("layers=1", "hidden_size=256", "intermediate_size=512"),
    *("attention.heads=4", "attention.key_value_heads=4", "attention.head_size=64"),
)
SMALL = {"options": TOKENS, "model_overrides": LAYER}
ANDA = PaperCase("anda-hpca25", "opt-125m", "6", **SMALL)  # type: ignore[arg-type]
BEST = PaperCase("anda-hpca25", "opt-125m", "6", ("schedule=best",), **SMALL)  # type: ignore[arg-type]
FIGNA = PaperCase("figna", "opt-125m", **SMALL)  # type: ignore[arg-type]
FP_FP = PaperCase("fp-fp", "opt-125m", **SMALL)  # type: ignore[arg-type]
FP_INT = PaperCase("fp-int", "opt-125m", **SMALL)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "runs.sqlite"


@pytest.mark.parametrize("case", [ANDA, BEST, FIGNA], ids=["anda", "best", "figna"])
def test_results_are_those_of_simulate_fresh_and_from_the_store(path: Path, case: PaperCase) -> None:
    work = load_workload(case.model, precision=case.precision, tokens=32, overrides=case.model_overrides)
    expected = simulate(load_arch(case.arch, case.arch_overrides), work)
    for fresh in (True, False):
        with Store(path, make=True) as store, Runs(store=store) as runs:
            [result] = CaseResults(runs)([case])
            assert result == expected
            assert (runs.simulated > 0) is fresh


def test_machines_that_differ_only_in_cost_share_their_runs(path: Path) -> None:
    with Store(path, make=True) as store, Runs(store=store) as runs:
        CaseResults(runs)([FP_INT])
        once = runs.simulated
        figna, base = CaseResults(runs)([FIGNA, FP_INT])
        # q, k, v and o are one shape of 256 x 256; up and down are two more
        assert runs.simulated == once == 3
        assert figna.totals.cycles == base.totals.cycles
        assert figna.totals.energy_picojoules < base.totals.energy_picojoules


def test_a_changed_machine_is_simulated_anew_and_a_changed_cost_is_not(path: Path) -> None:
    def simulated(*overrides: str) -> int:
        with Store(path, make=True) as store, Runs(store=store) as runs:
            CaseResults(runs)([PaperCase("fp-fp", "opt-125m", "fp16", overrides, LAYER, TOKENS)])
            return runs.simulated

    assert simulated() == 3
    assert simulated("cost.dram.energy_picojoules_per_bit=7.0") == 0
    assert simulated("dram.latency_nanoseconds=200") == 3


def test_runs_of_another_code_version_are_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path, make=True) as store, Runs(store=store) as runs:
        CaseResults(runs)([FP_FP])
    for module in ("pieces", "identity"):
        monkeypatch.setattr(f"sim.runs.{module}.code_version", lambda: "another")
    with Store(path, make=True) as store, Runs(store=store) as runs:
        CaseResults(runs)([FP_FP])
        assert runs.simulated == 3


def test_a_file_that_is_no_database_is_one_message(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(InputError, match="--cache: cannot be used: file is not a database"):
        Store(path, make=True, option="--cache")
