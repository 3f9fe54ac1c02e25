"""The shipped sweeps: every one run, its front as CSV, and how near searches come to a grid."""

from __future__ import annotations

import csv
import io
import os
import platform
import resource
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np

from records.record import LIBM, RESULTS, Record, Sample, read, written
from sim import shipped
from sim.runs.jobs import default_jobs
from sim.runs.workers import LocalWorkers
from sim.sweep.diff import objectives, volume_ratio
from sim.sweep.evaluate import Task, compute
from sim.sweep.load import FOLDER as SHIPPED
from sim.sweep.load import load_sweep
from sim.sweep.points import Points, Tally
from sim.sweep.run import run_sweep
from sim.sweep.space import Space
from sim.sweep.stored import StoredSweeps
from sim.sweep.view import View

FOLDER = RESULTS / "sweeps"
RECORD = FOLDER / "search.json"
SEARCHED = "buffers-bandwidth-rows"
SAMPLERS, SEEDS, SHARE = ("tpe", "nsga2"), range(8), 10
"""A search gets a tenth of the grid's points."""


def run(store: StoredSweeps, name: str, overrides: Sequence[str] = ()) -> tuple[View, Tally]:
    """Run a shipped sweep on all cores, or what the store lacks of it."""
    space = Space(*load_sweep(name, overrides))
    store.begin(space, resume=True)
    with LocalWorkers(default_jobs(), compute) as workers:
        tally = run_sweep(Points(space, store, workers, lambda tally: None))
    return View(store, space.sweep.name), tally


def front(view: View) -> str:
    """The points of every front as CSV: what was chosen, and what came of it."""
    hidden = ("key", "broken", "failure", "on_front", "seconds_to_simulate")
    rows = [{key: cell for key, cell in row.items() if key not in hidden} for row in view.rows() if row["on_front"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def searches(store: StoredSweeps, grid: View) -> Iterator[dict[str, Any]]:
    """Searches of the grid's space, a row for each sampler and seed; their points are in the store already."""
    points = len(grid.points) // SHARE
    for sampler in SAMPLERS:
        for seed in SEEDS:
            found, _ = run(store, SEARCHED, _settings(sampler, seed, points))
            (ratio,) = (
                volume_ratio(objectives(grid.groups[group]), objectives(found.groups[group])) for group in grid.groups
            )
            yield {"sampler": sampler, "seed": seed, "points": len(found.points), "volume_ratio": ratio}


class Sweeps(Record):
    name = "sweeps"
    files: ClassVar[tuple[Path, ...]] = (FOLDER,)

    def make(self) -> None:
        with tempfile.TemporaryDirectory() as folder, StoredSweeps(Path(folder) / "sweeps.sqlite", make=True) as store:
            for name in shipped.names(SHIPPED):
                view, tally = run(store, name)
                (FOLDER / f"{name}.csv").write_text(front(view), encoding="utf-8")
                if name == SEARCHED:
                    RECORD.write_text(written(_search_record(store, view, tally)), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        for name in shipped.names(SHIPPED):
            with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
                recorded = random.choice(list(csv.DictReader(lines)))
            yield _point(name, recorded)
        yield _search(random.choice(read(RECORD)["searches"]))


def _point(name: str, recorded: dict[str, str]) -> Sample:
    """A point of a front, simulated alone."""
    design = Space(*load_sweep(name)).design(int(recorded["number"]))
    assert design.arch is not None
    assert design.workload is not None
    totals = compute(Task(design.key, design.arch, design.workload)).totals or {}
    found = {key: type(value)(recorded[key]) for key, value in totals.items()}
    return Sample(f"{name}, point {design.number}", found, dict(totals), LIBM)


def _search(recorded: dict[str, Any]) -> Sample:
    """A search, beside the recorded front of the grid."""
    with tempfile.TemporaryDirectory() as folder, StoredSweeps(Path(folder) / "sweeps.sqlite", make=True) as store:
        found, _ = run(store, SEARCHED, _settings(recorded["sampler"], recorded["seed"], recorded["points"]))
        (points,) = found.groups.values()
        reached = objectives(points)
    with (FOLDER / f"{SEARCHED}.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    grid = np.array([[float(row[one]) for one in found.sweep.objectives] for row in rows], dtype=np.float64)
    ratio = volume_ratio(grid, reached)
    made = {**recorded, "volume_ratio": ratio, "points": len(found.points)}
    return Sample(f"search {recorded}", recorded, made, LIBM)


def _settings(sampler: str, seed: int, points: int) -> list[str]:
    name = f"{SEARCHED}-{sampler}-{seed}"
    return [f"name={name}", "mode=search", f"points={points}", f"sampler={sampler}", f"seed={seed}"]


def _search_record(store: StoredSweeps, view: View, tally: Tally) -> dict[str, Any]:
    load = round(os.getloadavg()[1], 1)  # of the last five minutes: above `workers`, others had cores too
    rows = list(searches(store, view))
    of_workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    peak = {"main": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "worker": of_workers}
    grid = {"workers": default_jobs(), **asdict(tally), "peak_mebibytes": peak, "load_average": load}
    facts = {"sweep": SEARCHED, "code": view.code, "python": platform.python_version()}
    return {**facts, "grid": grid, "searches": rows}
