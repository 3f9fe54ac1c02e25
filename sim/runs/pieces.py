"""Runs of pieces in a store, under the key of their piece, so that a second reproduction takes seconds."""

from __future__ import annotations

import json

from sim.arch.schema import Schedule
from sim.engine.activity import State
from sim.engine.fast_forward import Skip
from sim.machine.assembly import Run, SimulationOptions
from sim.runs.code import code_version
from sim.runs.identity import identity
from sim.runs.store import Store


class StoredRuns:
    """The runs in a store; those of other versions of the code are dropped."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.write("DELETE FROM runs WHERE code != ?", code_version())

    def get(self, key: str, options: SimulationOptions) -> Run | None:
        """The run kept for a piece, simulated with these options."""
        row = self._store.first("SELECT run FROM runs WHERE key = ?", identity(key, repr(options)))
        try:
            return None if row is None else _read(row[0])
        except (ValueError, LookupError, TypeError):
            raise self._store.damaged("runs") from None

    def put(self, key: str, options: SimulationOptions, run: Run) -> None:
        """Keep a run."""
        row = (identity(key, repr(options)), code_version(), _written(run))
        self._store.write("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", *row)


def _written(run: Run) -> str:
    return json.dumps(
        {
            "cycles": run.cycles,
            "states": {unit: {state.name: n for state, n in states.items()} for unit, states in run.states.items()},
            "counters": run.counters,
            "skips": run.skips,
            "obstacle": run.obstacle,
            "schedule": run.schedule and run.schedule.model_dump(),
        }
    )


def _read(text: str) -> Run:
    kept = json.loads(text)
    states = {unit: {State[name]: n for name, n in states.items()} for unit, states in kept["states"].items()}
    skips = tuple(Skip(*skip) for skip in kept["skips"])
    schedule = kept["schedule"] and Schedule(**kept["schedule"])
    return Run(kept["cycles"], states, kept["counters"], skips, kept["obstacle"], schedule)
