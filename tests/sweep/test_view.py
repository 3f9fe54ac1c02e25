"""Looking: fronts by group, tables, the command that runs a point again, and two sweeps compared."""

from __future__ import annotations

import csv
import json
import math
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.simulation import simulate
from sim.sweep.diff import compare
from sim.sweep.files import WRITTEN, write
from sim.sweep.front import front
from sim.sweep.stored import StoredSweeps
from sim.sweep.view import View, level_words, short_names
from sim.workload.load import load_workload
from tests.sweep.conftest import Write, run

AXES = {
    "arch.mxu.rows": [4, 8, 16],
    "arch.buffers.weight.bytes": {"ratio": [0.25, 1]},
    "workload.run.precision": ["8", [5, 5, 4, 4]],
}
KEYS: dict[str, Any] = {"derived": {"power": "energy / seconds"}}


@pytest.fixture
def view(write: Write, tmp_path: Path) -> View:
    run(write(AXES, **KEYS), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        return View(store, "small")


def test_the_front_is_that_of_the_objectives(view: View) -> None:
    import numpy as np

    objectives = np.array([point.objectives for point in view.points])
    totals = [point.stored.totals or {} for point in view.points]
    assert objectives.tolist() == [[one["cycles"], one["energy"], one["area"]] for one in totals]
    assert [point.stored.number for point in view.groups[()]] == front(objectives).tolist()
    for point, one in zip(view.points, totals, strict=True):
        assert math.isclose(point.verdict.derived["power"], one["energy"] / one["seconds"])


def test_points_that_do_different_work_are_not_compared(write: Write, tmp_path: Path) -> None:
    axes = {"arch.mxu.rows": [8, 16], "workload.run.batch": [1, 4], "workload.run.precision": ["5", "8"]}
    run(write(axes), tmp_path / "s.sqlite")
    run(write(axes, name="all", front_per=[]), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        assert {group: len(points) for group, points in View(store, "small").comparable().items()} == {(1,): 4, (4,): 4}
        view = View(store, "all")
    assert {group: len(points) for group, points in view.comparable().items()} == {(): 8}
    assert all(point.levels["workload.run.batch"] == 1 for point in view.groups[()])


def test_a_point_that_breaks_a_constraint_on_results_is_stored_but_not_on_the_front(
    write: Write, tmp_path: Path
) -> None:
    run(write({"arch.mxu.rows": [4, 8, 16]}), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        cycles = sorted(point.objectives[0] for point in View(store, "small").points)
    limit = f"cycles < {cycles[-1]}"
    tally = run(write({"arch.mxu.rows": [4, 8, 16]}, name="bounded", constraints=[limit]), tmp_path / "s.sqlite")
    assert (tally.reused, tally.computed) == (3, 0)
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        view = View(store, "bounded")
    assert [point.verdict.broken for point in view.points] == [(limit,), (), ()]
    assert {point.stored.number for point in view.groups[()]} <= {1, 2}


def test_an_objective_of_a_phase_that_does_not_run_is_a_failure(write: Write, tmp_path: Path) -> None:
    run(write({"workload.run.batch": [1]}, objectives=["time_per_token"]), tmp_path / "s.sqlite")
    path = write({"arch.mxu.rows": [8]}, name="prefill", objectives=["time_per_token"])
    path.write_text(path.read_text(encoding="utf-8").replace("- both", "- prefill"), encoding="utf-8")
    run(path, tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        assert View(store, "small").points[0].verdict.feasible
        [point] = View(store, "prefill").points
    assert "no such phase in the run: time of a decode step" in (point.verdict.failure or "")


def test_the_command_of_a_point_runs_it_again(view: View) -> None:
    for point in view.points[::5]:
        words = shlex.split(point.command())
        assert words[:3] == ["python", "sim.py", "run"]
        sets = {flag: [b for a, b in pairwise(words) if a == flag] for flag in ("--set", "--set-workload")}
        arch, work = load_arch(words[3], sets["--set"]), load_workload(words[4], overrides=sets["--set-workload"])
        result = simulate(arch, work)
        assert result.totals.cycles == (point.stored.totals or {})["cycles"]
        assert result.totals.area_square_millimetres == (point.stored.totals or {})["area"]


def test_a_report_of_another_is_never_replaced(view: View, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("<html>mine</html>")
    with pytest.raises(InputError, match=r"`report\.html`, which no sweep wrote"):
        write(view, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    (tmp_path / "out" / "report.html").unlink()
    for _ in range(2):
        write(view, tmp_path / "out")


def test_the_tables_hold_every_point_in_both_forms(view: View, tmp_path: Path) -> None:
    from pyarrow import parquet

    write(view, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(WRITTEN)
    table = parquet.read_table(tmp_path / "out" / "points.parquet").to_pylist()
    with (tmp_path / "out" / "points.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(table) == 12
    for point, row, line in zip(view.points, table, lines, strict=True):
        totals = point.stored.totals or {}
        assert (row["number"], row["cycles"], row["energy"]) == (
            point.stored.number,
            totals["cycles"],
            totals["energy"],
        )
        assert row["arch.mxu.rows"] == point.levels["arch.mxu.rows"]
        assert row["arch.buffers.weight.bytes"] == point.levels["arch.buffers.weight.bytes"] * 2**20
        assert row["workload.run.precision"] in ("8", "[5, 5, 4, 4]")
        assert row["on_front"] == (point in view.groups[()])
        assert {name: str(value) for name, value in row.items() if value is not None} == {
            name: text for name, text in line.items() if text
        }
    write(view, tmp_path / "out")  # its own files it may replace


def test_a_folder_with_other_things_is_left_alone(view: View, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(InputError, match=r"thesis\.txt"):
        write(view, tmp_path / "mine")


def test_equal_sweeps_do_not_differ(view: View) -> None:
    found = compare(view, view)
    assert (found.common, found.only_a, found.only_b, found.changes) == (12, 0, 0, ())
    assert [(one.both, one.only_a, one.only_b) for one in found.fronts] == [(len(view.groups[()]), 0, 0)]
    assert found.fronts[0].volume_ratio == 1


def test_a_difference_says_which_results_changed_and_by_how_much(write: Write, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: anda-hpca25\n", encoding="utf-8")
    run(write({"arch.mxu.rows": [4, 8, 16]}, archs=["mine.yaml"]), tmp_path / "a.sqlite")
    twice = "extends: anda-hpca25\ncost: {controller: {power_milliwatts: 0.01, area_square_millimetres: 0.51}}\n"
    (tmp_path / "mine.yaml").write_text(twice, encoding="utf-8")
    run(write({"arch.mxu.rows": [8, 16, 32]}, archs=["mine.yaml"]), tmp_path / "b.sqlite")
    views = []
    for name in ("a", "b"):
        with StoredSweeps(tmp_path / f"{name}.sqlite") as store:
            views.append(View(store, "small"))
    found = compare(*views)
    assert (found.common, found.only_a, found.only_b) == (2, 1, 1)
    [change] = found.changes  # 0.5 mm2 more, and nothing else
    areas = [(point.stored.totals or {})["area"] for point in views[0].points if point.levels["arch.mxu.rows"] > 4]
    assert (change.quantity, change.changed) == ("area", 2)
    assert math.isclose(change.highest, 0.5 / min(areas))
    assert math.isclose(change.lowest, 0.5 / max(areas))


def test_short_names_are_as_short_as_tells_them_apart() -> None:
    names = [
        "arch",
        "arch.mxu.rows",
        "arch.buffers.weight.bytes",
        "arch.buffers.activation.bytes",
        "arch.a.x, arch.b.y",
    ]
    assert list(short_names(names).values()) == ["arch", "rows", "weight.bytes", "activation.bytes", "x, y"]


def test_sizes_are_told_in_the_largest_unit_that_is_exact() -> None:
    sizes = {0: "0", 1000: "1000", 1024: "1 KiB", 1536: "1536", 3 << 19: "1536 KiB", 2 << 20: "2 MiB"}
    assert {size: level_words("arch.buffers.weight.bytes", size) for size in sizes} == sizes
    assert level_words("arch.mxu.rows", 1024) == "1024"


def test_a_stored_definition_gives_the_same_sweep(view: View, write: Write) -> None:
    assert json.loads(view.sweep.model_dump_json())["axes"].keys() >= AXES.keys()
    assert [len(axis.levels) for axis in view.varied] == [3, 2, 2]
