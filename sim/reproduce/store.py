"""Runs of pieces kept on disk, so that a second reproduction takes seconds.

A run is kept under the hash of everything its timing depends on: the machine's complete resolved description (cost
tables and names aside, which change no timing), the piece of work, and the version of the simulator's code.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sim.arch.schema import Schedule
from sim.engine.activity import State
from sim.engine.fast_forward import Skip
from sim.errors import InputError, Place
from sim.laws.bounds import Bounds
from sim.machine.assembly import Run
from sim.machine.machine import Machine
from sim.mapping.plan import Plan
from sim.simulation import Key
from sim.workload.gemm import Gemm, Item

ABOVE = ("report", "reproduce", "commands", "cli.py", "rtl")
"""Parts of the package that no timing can depend on: they stand above sim.simulation."""


@cache
def code_version() -> str:
    """Hash of the simulator's source files."""
    root, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if name.parts[0] not in ABOVE:
            digest.update(f"{name.as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def default_path() -> Path:
    """The user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anda-sim" / "reproduce.sqlite"


class Store:
    """Runs by the key of their piece, in one SQLite file; those of other code versions are dropped.

    Raises
    ------
    InputError
        Where the file cannot be made, or is something else.
    """

    def __init__(self, path: Path) -> None:
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

    def get(self, key: Key, machine: Machine, piece: Item) -> Run | None:
        """The run kept under the key of a piece on a machine."""
        row = self._database.execute("select run from runs where key = ?", (_hashed(key),)).fetchone()
        return None if row is None else _read(row[0], machine, piece)

    def put(self, runs: Iterable[tuple[Key, Run]]) -> None:
        """Keep runs."""
        rows = [(_hashed(key), code_version(), _written(run)) for key, run in runs]
        with self._database:
            self._database.executemany("insert or replace into runs values (?, ?, ?)", rows)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _hashed(key: Key) -> str:
    return hashlib.sha256(f"{code_version()} {key!r}".encode()).hexdigest()


def _written(run: Run) -> str:
    return json.dumps(
        {
            "cycles": run.cycles,
            "states": {unit: {state.name: n for state, n in states.items()} for unit, states in run.states.items()},
            "counters": run.counters,
            "bounds": vars(run.bounds),
            "skips": run.skips,
            "obstacle": run.obstacle,
            "schedule": run.plan and _schedule(run.plan),
        }
    )


def _schedule(plan: Plan) -> dict[str, int | str]:
    return {
        "token_block": plan.tokens.block,
        "output_block": plan.outputs.block,
        "k_block": plan.chunk_groups * plan.group_size,
        "order": plan.order,
    }


def _read(text: str, machine: Machine, piece: Item) -> Run:
    kept = json.loads(text)
    plan = None
    if isinstance(piece, Gemm):
        plan = machine.plan(piece, Schedule(**kept["schedule"]))
    states = {unit: {State[name]: n for name, n in states.items()} for unit, states in kept["states"].items()}
    skips = tuple(Skip(*skip) for skip in kept["skips"])
    return Run(kept["cycles"], states, kept["counters"], Bounds(**kept["bounds"]), plan, skips, kept["obstacle"])
