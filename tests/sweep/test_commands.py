"""The commands, and the shipped sweeps that they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from sim import shipped
from sim.commands import sweep
from sim.errors import InputError
from sim.sweep.load import FOLDER
from sim.sweep.stored import StoredSweeps
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


@pytest.mark.parametrize(("package", "keys"), [("optuna", {"mode": "search", "points": 2}), ("pyarrow", {})])
def test_a_missing_package_is_told_before_time_is_spent(
    write: Write, monkeypatch: pytest.MonkeyPatch, package: str, keys: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    caught = ask("sweep", write({"arch.mxu.rows": [8, 16]}, **keys), "--jobs", 1).exception
    assert isinstance(caught, InputError)
    assert f"needs the package {package}\n  install    anda-sim[sweep]" in str(caught)
    assert not Path("runs").exists()


def test_a_sweep_without_a_point_has_no_front(write: Write) -> None:
    path = write({"arch.mxu.rows": [8, 16]})
    with StoredSweeps(Path("runs/sweeps.sqlite"), make=True) as kept:
        kept.begin(space_of(path), resume=False)
    caught = ask("pareto", "small").exception
    assert isinstance(caught, InputError)
    assert "no point of small@" in str(caught)


@pytest.mark.parametrize("name", ["points.csv", "report.html", "thesis.txt"])
def test_a_folder_that_no_sweep_wrote_is_refused_before_time_is_spent(write: Write, name: str) -> None:
    Path("mine").mkdir()
    Path("mine", name).write_text("mine")
    caught = ask("sweep", write({"arch.mxu.rows": [8]}), "--jobs", 1, "--out", "mine").exception
    assert isinstance(caught, InputError)
    assert f"mine: --out: exists\n  found      `{name}`, which no sweep wrote" in str(caught)
    assert [path.read_text() for path in Path("mine").iterdir()] == ["mine"]
    assert not Path("runs").exists()


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
