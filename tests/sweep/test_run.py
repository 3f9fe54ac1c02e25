"""Running: results are those of `simulate`, stored once each, whatever the workers, the order and the failures."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from sim.runs.workers import WORKER_DIED, LocalWorkers
from sim.simulation import simulate
from sim.sweep import evaluate
from sim.sweep.evaluate import Outcome, Task, compute
from sim.sweep.stored import StoredSweeps
from tests.sweep.conftest import InProcess, Write, contents, run, space_of

AXES = {"arch.mxu.rows": [4, 8, 16], "arch.dram.bandwidth_gigabytes_per_second": [12.8, 256]}


class Backwards(InProcess):
    """A worker that finishes the last point first."""

    def outcomes(self, tasks: Any, most: int) -> Iterator[tuple[Task, Outcome | None]]:
        yield from reversed(list(super().outcomes(tasks, most)))


def test_a_point_holds_the_totals_of_a_simulation_of_its_own(write: Write, tmp_path: Path) -> None:
    path = write(AXES)
    run(path, tmp_path / "s.sqlite")
    space = space_of(path)
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        stored = list(store.points("small"))
    assert [one.number for one in stored] == list(range(6))
    for one in stored:
        design = space.design(one.number)
        assert design.arch is not None
        assert design.workload is not None
        result = simulate(design.arch, design.workload)
        by_phase = dict.fromkeys(("prefill", "decode"), 0)
        for layer in result.layers:
            by_phase[layer.phase] += layer.count * layer.cycles
        hertz = result.clock_hertz
        joules = result.totals.energy_picojoules * 1e-12
        assert one.totals == {
            "cycles": result.totals.cycles,
            "seconds": result.totals.seconds,
            "energy": joules,
            "energy_delay": joules * result.totals.seconds,
            "area": result.totals.area_square_millimetres,
            "dram_bytes": result.totals.dram_bytes,
            "sram_bytes": result.totals.sram_bytes,
            "macs": result.totals.macs,
            "utilisation": result.totals.utilisation,
            "limit": result.limit.text,
            "time_to_first_token": by_phase["prefill"] / hertz,
            "time_per_token": by_phase["decode"] / hertz,
        }


def test_the_contents_do_not_depend_on_the_workers_or_the_order(write: Write, tmp_path: Path) -> None:
    path = write(AXES)
    stores = [tmp_path / f"{name}.sqlite" for name in ("one", "three", "backwards")]
    for store, workers in zip(stores, (InProcess(), LocalWorkers(3, compute), Backwards()), strict=True):
        run(path, store, workers)
    assert contents(stores[0]) == contents(stores[1]) == contents(stores[2])


def test_a_point_that_fails_is_stored_with_its_reason_and_stops_no_other(write: Write, tmp_path: Path) -> None:
    axes = {"arch.buffers.weight.bytes": [16384, 1048576], "arch.schedule.k_block": [1000, 4096]}
    tally = run(write(axes), tmp_path / "s.sqlite")
    assert (tally.computed, tally.failed) == (4, 3)
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        failures = {
            (one.overrides["arch.buffers.weight.bytes"], one.overrides["arch.schedule.k_block"]): one.failure
            for one in store.points("small")
        }
    assert failures.pop((1048576, 4096)) is None
    assert all("schedule.k_block: found 1000" in (failures.pop((size, 1000)) or "") for size in (16384, 1048576))
    assert "too small for one tile" in (failures.pop((16384, 4096)) or "")


def test_a_design_that_the_schema_refuses_is_a_failed_point(write: Write, tmp_path: Path) -> None:
    axes = {"arch.mxu.rows": [8, 16], "arch.writer.blocks": ["mxu.rows - 8"]}
    tally = run(write(axes), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        assert "writer.blocks" in (next(one.failure for one in store.points("small")) or "")
    assert (tally.computed, tally.failed) == (2, 1)


def test_a_defect_is_stored_with_its_reason(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(evaluate, "summarise", broken)
    assert run(write(), tmp_path / "s.sqlite").failed == 2
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        assert {one.failure for one in store.points("small")} == {"defect: ZeroDivisionError: planted"}


def test_a_second_sweep_computes_only_what_the_store_lacks(write: Write, tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    run(write(AXES), store)
    again = run(write(AXES | {"arch.mxu.rows": [8, 16, 32]}, name="second"), store)
    assert (again.computed, again.reused) == (2, 4)
    resumed = run(write(AXES), store, resume=True)
    assert (resumed.computed, resumed.reused) == (0, 6)


def test_equal_designs_are_simulated_once(write: Write, tmp_path: Path) -> None:
    workers = InProcess()
    # Both bases with the same registers are the same machine.
    (tmp_path / "one.yaml").write_text("extends: anda-hpca25\nmxu: {output_registers: 1}\n", encoding="utf-8")
    path = write({"arch.mxu.output_registers": [1, 2]}, archs=["one.yaml", "anda-hpca25"])
    tally = run(path, tmp_path / "s.sqlite", workers)
    assert (tally.computed, tally.reused, len(workers.computed)) == (2, 2, 2)


def test_a_random_sweep_takes_so_many_different_points_the_same_for_the_same_seed(write: Write, tmp_path: Path) -> None:
    axes = {"arch.mxu.rows": {"range": {"from": 1, "to": 40}}, "arch.mxu.columns": {"range": {"from": 1, "to": 50}}}
    chosen = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        path = write(axes, name=name, mode="random", points=6, seed=seed, constraints=["rows * columns <= 256"])
        run(path, tmp_path / "s.sqlite")
        with StoredSweeps(tmp_path / "s.sqlite") as store:
            points = list(store.points(name))
        chosen.append([point.number for point in points])
        assert all(point.overrides["arch.mxu.rows"] * point.overrides["arch.mxu.columns"] <= 256 for point in points)
    assert chosen[0] == chosen[1] != chosen[2]
    assert [len(set(numbers)) for numbers in chosen] == [6, 6, 6]


def kill_one(task: Task) -> Outcome:
    """A worker that dies the first time it is given one of the points, and every time under another."""
    mark = Path(os.environ["MARK"])
    rows = task.arch.mxu.rows
    if rows == 8 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if rows == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(task)


class Clock(LocalWorkers[Task, Outcome]):
    """Workers that take a second a point, in no time."""

    def __init__(self, count: int) -> None:
        self.count, self.given = count, [0] * count

    def submit(self, worker: int, task: Task) -> Future[tuple[Outcome, float]]:
        self.given[worker] += 1
        future: Future[tuple[Outcome, float]] = Future()
        future.set_result((Outcome(task.key, None, None, 1.0), 1.0))
        return future


class Dead(Clock):
    """Workers that are found dead when they are given something, until they are revived."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.alive = [False] * count

    def submit(self, worker: int, task: Task) -> Future[tuple[Outcome, float]]:
        if not self.alive[worker]:
            raise BrokenProcessPool
        return super().submit(worker, task)

    def revive(self, worker: int) -> None:
        self.alive[worker] = True


def test_a_worker_found_dead_when_it_is_given_a_task_loses_nothing() -> None:
    tasks = [Task(str(number), None, None) for number in range(9)]  # type: ignore[arg-type]
    found = {task.key: outcome for task, outcome in Dead(2).outcomes(tasks, len(tasks))}
    assert found.keys() == {task.key for task in tasks}
    assert None not in found.values()


@pytest.mark.parametrize(("count", "points"), [(2, 20), (2, 2000), (8, 24), (3, 1)])
def test_all_workers_have_a_like_share_of_a_batch(count: int, points: int) -> None:
    workers = Clock(count)
    tasks = [Task(str(number), None, None) for number in range(points)]  # type: ignore[arg-type]
    assert sorted(int(one.key) for one, _ in workers.outcomes(tasks, points)) == list(range(points))
    # A run is at most ten points, ten seconds' worth, or half of an even share of what is left.
    assert max(workers.given) - min(workers.given) <= min(10, max(1, points // (2 * count)))


def test_a_worker_that_dies_loses_nothing(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", str(tmp_path / "died"))
    path = write({"arch.mxu.rows": [16, 8, 2, 4, 32]})
    tally = run(path, tmp_path / "s.sqlite", LocalWorkers(2, kill_one))
    assert (tmp_path / "died").exists()
    assert (tally.computed, tally.failed) == (5, 1)
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        failed = {one.overrides["arch.mxu.rows"]: one.failure for one in store.points("small") if one.failure}
    assert failed == {4: WORKER_DIED}
    # Such a failure says nothing about the point, so it is tried again.
    resumed = run(path, tmp_path / "s.sqlite", resume=True)
    assert (resumed.computed, resumed.reused, resumed.failed) == (1, 4, 0)
    run(path, tmp_path / "undisturbed.sqlite")
    assert contents(tmp_path / "s.sqlite") == contents(tmp_path / "undisturbed.sqlite")


def test_what_is_stored_names_no_place_of_this_machine(write: Write, tmp_path: Path) -> None:
    run(write({"arch.buffers.weight.bytes": [16384]}), tmp_path / "s.sqlite")
    found = json.dumps(contents(tmp_path / "s.sqlite")["points"])
    assert str(tmp_path) not in found
