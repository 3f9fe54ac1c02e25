"""Runs kept on disk under the key of their piece, so that a second reproduction takes seconds.

The key is a hash of everything that the timing depends on; beside it counts the version of the simulator's code.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from sim import plugins
from sim.arch.schema import Schedule
from sim.engine.activity import State
from sim.engine.fast_forward import Skip
from sim.errors import InputError, Place
from sim.machine.assembly import Run, SimulationOptions
from sim.runs.code import code_version


def default_path() -> Path:
    """The user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anda-sim" / "runs.sqlite"


class RunStore:
    """Runs in one SQLite file; those of other code versions are dropped.

    Raises
    ------
    InputError
        Where the file cannot be made, or is something else.
    """

    def __init__(self, path: Path) -> None:
        import sqlite3  # here, since most commands keep no store

        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60)
            self._database.execute("create table if not exists runs (key text primary key, code text, run text)")
            with self._database:
                self._database.execute("delete from runs where code != ?", (code_version(),))
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"cannot be used as a cache: {error}", place=Place(str(path)), facts={"allowed": "another --cache"}
            ) from None

    def get(self, key: str, options: SimulationOptions) -> Run | None:
        """The run kept for a piece, simulated with these options."""
        row = self._database.execute("select run from runs where key = ?", (_hashed(key, options),)).fetchone()
        return None if row is None else _read(row[0])

    def put(self, key: str, options: SimulationOptions, run: Run) -> None:
        """Keep a run."""
        with self._database:
            row = (_hashed(key, options), code_version(), _written(run))
            self._database.execute("insert or replace into runs values (?, ?, ?)", row)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _hashed(key: str, options: SimulationOptions) -> str:
    return hashlib.sha256(f"{code_version()} {plugins.fingerprint()} {options!r} {key}".encode()).hexdigest()


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
