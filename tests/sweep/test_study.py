"""Search: what Optuna asks for depends on the seed alone, and it finds the grid's front in a tenth of the points."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.runs.workers import LocalWorkers
from sim.sweep.diff import objectives, volume_ratio
from sim.sweep.evaluate import compute
from sim.sweep.stored import StoredSweeps
from sim.sweep.view import View
from tests.sweep.conftest import SMALL_WORK, InProcess, Write, contents, run

AXES = {
    "arch.mxu.rows": [4, 8, 16],
    "arch.mxu.columns": [8, 16, 32],
    "arch.dram.bandwidth_gigabytes_per_second": [6.4, 25.6, 102.4],
    "arch.buffers.weight.bytes": {"powers_of_two": {"from": 65536, "to": 524288}},
}


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_the_workers_number_changes_nothing(write: Write, tmp_path: Path, sampler: str) -> None:
    path = write(AXES, mode="search", points=24, batch=8, sampler=sampler, seed=3)
    alone = run(path, tmp_path / "one.sqlite")
    run(path, tmp_path / "three.sqlite", LocalWorkers(3, compute))
    assert contents(tmp_path / "one.sqlite") == contents(tmp_path / "three.sqlite")
    assert alone.computed == 24
    # What is in the store already changes nothing either: a resumed search asks for the same points.
    resumed = run(path, tmp_path / "one.sqlite", resume=True)
    assert (resumed.computed, resumed.reused) == (0, 24)
    assert contents(tmp_path / "one.sqlite") == contents(tmp_path / "three.sqlite")


def test_another_seed_asks_for_other_points(write: Write, tmp_path: Path) -> None:
    asked = []
    for seed in (0, 1):
        workers = InProcess()
        run(write(AXES, mode="search", points=8, batch=4, seed=seed, name=f"s{seed}"), tmp_path / f"{seed}", workers)
        asked.append(workers.computed)
    assert asked[0] != asked[1]


def test_a_search_keeps_to_the_constraints(write: Write, tmp_path: Path) -> None:
    path = write(AXES, mode="search", points=20, batch=10, constraints=["rows * columns == 128", "energy > 0"])
    tally = run(path, tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        points = View(store, "small").points
    assert tally.computed == len(points) == 20
    assert {p.levels["arch.mxu.rows"] * p.levels["arch.mxu.columns"] for p in points} == {128}


def test_a_search_of_a_small_space_ends_when_there_is_nothing_left(write: Write, tmp_path: Path) -> None:
    tally = run(write({"arch.mxu.rows": [8, 16, 32]}, mode="search", points=50, batch=2), tmp_path / "s.sqlite")
    assert (tally.computed, tally.total) == (3, 3)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store and the file of the shipped space of 2,000 machines, with a small model in place of LLaMA-7B."""
    folder = tmp_path_factory.mktemp("grid")
    small = "".join(f"  {key}: [{levels[0]}]\n" for key, levels in SMALL_WORK.items())
    (folder / "grid.yaml").write_text(
        "extends: buffers-bandwidth-rows\nname: grid\nworkloads: [opt-125m]\naxes:\n"
        f"{small}  workload.run.precision: [[9, 8, 8, 7], [7, 6, 6, 6], [6, 7, 6, 7], [6, 5, 6, 6]]\n",
        encoding="utf-8",
    )
    assert run(folder / "grid.yaml", folder / "s.sqlite").computed == 2000
    return folder


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_a_search_of_a_shipped_sweep_reaches_the_grids_front_in_a_tenth_of_its_points(grid: Path, sampler: str) -> None:
    text = (grid / "grid.yaml").read_text(encoding="utf-8")
    searched = f"name: {sampler}\nmode: search\nsampler: {sampler}\npoints: 200"
    (grid / "search.yaml").write_text(text.replace("name: grid", searched), encoding="utf-8")
    tally = run(grid / "search.yaml", grid / "s.sqlite")
    assert (tally.computed, tally.reused) == (0, 200)
    with StoredSweeps(grid / "s.sqlite") as store:
        fronts = [View(store, name).groups[()] for name in ("grid", sampler)]
    ratio = volume_ratio(*map(objectives, fronts))
    assert ratio is not None
    assert 0.98 <= ratio <= 1
