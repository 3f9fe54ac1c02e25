"""The commands, and the shipped sweeps that they run."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sim import shipped
from sim.commands import sweep
from sim.errors import InputError
from sim.sweep.load import FOLDER
from tests.sweep.conftest import Write, space_of

SHIPPED = sorted((shipped.ROOT / FOLDER).glob("*.yaml"))
app = typer.Typer()
app.add_typer(sweep.app, name="sweep")
app.command("pareto")(sweep.pareto)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ask(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(map(str, words)))


def test_a_sweep_is_run_looked_at_and_compared(write: Write) -> None:
    path = write({"arch.mxu.rows": [8, 16, 32]})
    first = ask("sweep", path, "--jobs", 1)
    assert first.exit_code == 0, first.output
    assert "3 points simulated" in first.output
    assert "report and tables in runs/sweep_small" in first.output
    assert Path("runs/sweep_small/report.html").is_file()
    for name in ("small", path, "runs/sweeps.sqlite:small"):
        front = ask("pareto", name, "--commands")
        assert "3 points on the front, 3 compared" in front.output
        assert front.output.count("python sim.py run anda-hpca25 opt-125m --set-workload layers=1") == 3
    other = ask("sweep", "--jobs", 1, path, "--set", "name=other", "--no-report", "--store", "b.sqlite")
    assert other.exit_code == 0, other.output
    same = ask("sweep", "diff", "small", "b.sqlite:other")
    assert "3 points in both, 0 only in the first, 0 only in the second" in same.output
    assert "all results of the common points are equal" in same.output


def test_a_resumed_sweep_says_what_it_found(write: Write) -> None:
    path = write({"arch.mxu.rows": [8, 16]})
    ask("sweep", path, "--jobs", 1, "--no-report")
    assert isinstance(ask("sweep", path, "--jobs", 1).exception, InputError)
    again = ask("sweep", path, "--jobs", 1, "--resume", "--no-report")
    assert "0 points simulated" in again.output
    assert "2 from the store" in again.output


def test_too_many_points_leave_no_sweep_behind(write: Write) -> None:
    axes = {"arch.mxu.rows": {"range": {"from": 1, "to": 1001}}, "arch.mxu.columns": {"range": {"from": 1, "to": 1000}}}
    assert "--yes" in str(ask("sweep", write(axes)).exception)
    assert "no sweep `small`" in str(ask("pareto", "small").exception)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_sweep_describes_machines_that_can_be_built(path: Path) -> None:
    from sim.machine.machine import Machine

    space = space_of(path)
    assert space.sweep.name == path.stem
    assert space.sweep.description
    allowed = 0
    step = max(1, space.size // 150)
    for number in range(0, space.size, step):
        design = space.design(number)
        assert design.refusal is None
        assert design.arch is not None
        Machine(design.arch)
        allowed += space.allowed(design)
    assert allowed > 0


def test_four_sweeps_are_shipped() -> None:
    assert [path.stem for path in SHIPPED] == [
        "anda-figna-equal-area",
        "buffers-bandwidth-rows",
        "edge",
        "pe-over-tolerance",
    ]
    assert space_of(shipped.ROOT / FOLDER / "buffers-bandwidth-rows.yaml").size == 2000
