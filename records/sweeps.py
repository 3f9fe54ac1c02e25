"""The recorded results of the shipped sweeps: every one run, its front as CSV, and how near searches come to a grid.

    python -m records.sweeps --store runs/shipped.sqlite --out results/sweeps

A sweep that the store holds already is gone on with, so that its time then is that of the rest.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sim import shipped
from sim.runs.workers import LocalWorkers, default_jobs
from sim.sweep.diff import volume_ratio
from sim.sweep.evaluate import compute
from sim.sweep.load import FOLDER, load_sweep
from sim.sweep.run import SweepRun, Tally
from sim.sweep.space import Space
from sim.sweep.store import Store
from sim.sweep.view import View

SEARCHED = "buffers-bandwidth-rows"
SAMPLERS, SEEDS, SHARE = ("tpe", "nsga2"), range(8), 10
"""A search gets a tenth of the grid's points."""


def run(store: Store, name: str, overrides: Sequence[str] = ()) -> tuple[View, Tally]:
    """Run a shipped sweep on all cores, or what the store lacks of it."""
    space = Space(*load_sweep(name, overrides))
    store.begin(space.sweep, space.keys, resume=True)
    with LocalWorkers(default_jobs(), compute) as workers:
        tally = SweepRun(space, store, workers, lambda tally: None).run()
    return View(store, space.sweep.name), tally


def write_front(view: View, path: Path) -> None:
    """The points of every front as CSV: what was chosen, and what came of it."""
    hidden = ("key", "broken", "failure", "on_front", "seconds_to_simulate")
    rows = [{key: cell for key, cell in row.items() if key not in hidden} for row in view.rows() if row["on_front"]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def searches(store: Store, grid: View) -> Iterator[dict[str, Any]]:
    """Searches of the grid's space, a row for each sampler and seed; their points are in the store already."""
    points = len(grid.points) // SHARE
    for sampler in SAMPLERS:
        for seed in SEEDS:
            name = f"{grid.sweep.name}-{sampler}-{seed}"
            settings = [f"name={name}", "mode=search", f"points={points}", f"sampler={sampler}", f"seed={seed}"]
            found, _ = run(store, grid.sweep.name, settings)
            ratios = {
                found.title(group): volume_ratio(grid.groups[group], found.groups[group]) for group in grid.groups
            }
            (ratio,) = ratios.values()
            yield {"sampler": sampler, "seed": seed, "points": len(found.points), "volume_ratio": ratio}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("sweeps", nargs="*", default=shipped.names(FOLDER))
    told = parser.parse_args(arguments)
    told.out.mkdir(parents=True, exist_ok=True)
    with Store(told.store, make=True) as store:
        for name in told.sweeps:
            view, tally = run(store, name)
            load = round(os.getloadavg()[1], 1)  # of the last five minutes: above `workers`, others had cores too
            write_front(view, told.out / f"{name}.csv")
            print(f"{name}: {asdict(tally)}", file=sys.stderr)
            if name == SEARCHED:
                rows = list(searches(store, view))
                workers = resource.getrusage(resource.RUSAGE_CHILDREN)
                peak = {
                    "main": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "worker": workers.ru_maxrss / 1024,
                }
                facts = {"sweep": name, "code": view.code, "python": platform.python_version()}
                grid = {"workers": default_jobs(), **asdict(tally), "peak_mebibytes": peak, "load_average": load}
                record = {**facts, "grid": grid, "searches": rows}
                (told.out / "search.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
