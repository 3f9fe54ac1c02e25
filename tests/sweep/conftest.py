"""Small sweeps: one layer of OPT-125M with few tokens, a few milliseconds a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.runs.workers import LocalWorkers, Workers
from sim.sweep.evaluate import Outcome, Task, compute
from sim.sweep.load import load_sweep
from sim.sweep.points import Points, Tally
from sim.sweep.run import run_sweep
from sim.sweep.space import Space
from sim.sweep.stored import StoredSweeps

SMALL_WORK = {"workload.layers": [1], "workload.run.tokens": [32], "workload.run.phase": ["both"]}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a sweep file: the small one with keys replaced."""

    def written(axes: dict[str, Any] | None = None, **keys: Any) -> Path:
        sweep: dict[str, Any] = {
            "name": "small",
            "archs": ["anda-hpca25"],
            "workloads": ["opt-125m"],
            "axes": SMALL_WORK | (axes if axes is not None else {"arch.mxu.rows": [8, 16]}),
            "objectives": ["cycles", "energy", "area"],
        }
        path = tmp_path / f"{keys.get('name', 'small')}.yaml"
        path.write_text(yaml.safe_dump(sweep | keys, sort_keys=False), encoding="utf-8")
        return path

    return written


class InProcess(LocalWorkers[Task, Outcome]):
    """One worker that is this process, so that a test can watch it."""

    def __init__(self, compute: Callable[[Task], Outcome] = compute) -> None:
        self.count, self._compute, self.computed = 1, compute, list[str]()

    def outcomes(self, tasks: Any, most: int) -> Iterator[tuple[Task, Outcome | None]]:
        for task in tasks:
            self.computed.append(task.key)
            yield task, self._compute(task)

    def close(self) -> None:
        pass


def space_of(path: Path) -> Space:
    return Space(*load_sweep(str(path)))


def run(path: Path, store: Path, workers: Workers[Task, Outcome] | None = None, *, resume: bool = False) -> Tally:
    """Run a sweep file into a store."""
    space = space_of(path)
    with StoredSweeps(store, make=True) as points, workers or InProcess() as places:
        points.begin(space, resume=resume)
        return run_sweep(Points(space, points, places, lambda tally: None))


def contents(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a store, times apart."""
    with StoredSweeps(store) as opened:
        ask = opened._store._db.execute
        return {
            "points": ask("SELECT key, config, totals, failure FROM points ORDER BY key").fetchall(),
            "members": ask("SELECT * FROM members ORDER BY sweep, number").fetchall(),
            "sweeps": ask("SELECT sweep, name, definition, keys, bases, code FROM sweeps ORDER BY sweep").fetchall(),
        }
