"""Points in one SQLite file with a write-ahead log: a point is there for good the moment it is done.

points   key, config, totals or failure; shared by all sweeps of the store
sweeps   name, definition, code version
members  which points a sweep consists of, and what distinguishes them from their bases
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sim.errors import InputError, Place, nearest_name
from sim.runs.code import code_version
from sim.runs.workers import WORKER_DIED
from sim.sweep.evaluate import Outcome
from sim.sweep.formulas import at
from sim.sweep.schema import Sweep
from sim.sweep.space import ResolvedPoint

VERSION = 2
APPLICATION = 0x616E6461  # "anda" in the header of the file
WAIT_SECONDS = 60
_TABLES = (
    """CREATE TABLE points (key TEXT PRIMARY KEY, config TEXT NOT NULL, totals TEXT, failure TEXT,
                            seconds REAL NOT NULL, stored TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE sweeps (name TEXT PRIMARY KEY, definition TEXT NOT NULL, keys TEXT NOT NULL,
                            code TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE members (sweep TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, overrides TEXT NOT NULL,
                             PRIMARY KEY (sweep, number)) WITHOUT ROWID""",
)


@dataclass(frozen=True)
class Stored:
    """A point of a sweep as it was stored; of its config the keys that were asked for."""

    number: int
    key: str
    overrides: dict[str, Any]
    values: dict[str, Any]
    totals: dict[str, Any] | None
    failure: str | None
    seconds: float


class Store:
    """A store, opened or made.

    Raises
    ------
    InputError
        For a file that is no store, a store of another version, and whatever the file system refuses. What was
        stored before stays as it is.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        if not make and not path.is_file():
            raise InputError("no such store of sweeps", place=Place(str(path)), field="--store")
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            with self._told():
                self._check(make)
        except InputError:
            self._db.close()
            raise

    def _check(self, make: bool) -> None:
        if make and self._empty():
            self._make()
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION:
            raise InputError("not a store of sweeps", place=Place(str(self.path)), field="--store")
        if version != VERSION:
            facts = {"found": f"version {version}", "allowed": f"version {VERSION}, or another file"}
            raise InputError("a store of another version", place=Place(str(self.path)), field="--store", facts=facts)
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM sqlite_master").fetchone() is None

    def _make(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            if self._empty():  # nobody else made it meanwhile
                for table in _TABLES:
                    self._db.execute(table)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    def begin(self, sweep: Sweep, keys: list[str], *, resume: bool) -> None:
        """Enter a sweep, or go on with it.

        Raises
        ------
        InputError
            Where the store has a sweep of that name and `resume` is not set.
        """
        with self._transaction():
            known = self._db.execute("SELECT count(*) FROM members WHERE sweep = ?", (sweep.name,)).fetchone()[0]
            if known and not resume:
                facts = {"found": f"{known} points of it", "allowed": "--resume, another name, or another --store"}
                raise InputError(f"sweep `{sweep.name}` is there", place=Place(str(self.path)), facts=facts)
            definition = sweep.model_dump(mode="json", by_alias=True, exclude_unset=True)
            row = (sweep.name, _json(definition), _json(keys), code_version())
            if self._db.execute("SELECT * FROM sweeps WHERE name = ?", (sweep.name,)).fetchone() != row:
                self._db.execute("DELETE FROM members WHERE sweep = ?", (sweep.name,))
                self._db.execute("INSERT OR REPLACE INTO sweeps VALUES (?, ?, ?, ?)", row)

    def find(self, key: str) -> tuple[dict[str, Any] | None, str | None] | None:
        """Totals and failure of a point; None where it is missing, or only its worker failed."""
        with self._told():
            row = self._db.execute("SELECT totals, failure FROM points WHERE key = ?", (key,)).fetchone()
        if row is None or row[1] == WORKER_DIED:
            return None
        return row[0] and json.loads(row[0]), row[1]

    def add(self, sweep: str, design: ResolvedPoint, outcome: Outcome | None = None) -> None:
        """Enter a point into a sweep, and with an outcome store it, at once and for good."""
        with self._transaction():
            member = (sweep, design.number, design.key, _json(design.overrides))
            self._db.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", member)
            if outcome is not None:
                totals = None if outcome.totals is None else _json(outcome.totals)
                now = datetime.now(UTC).isoformat(timespec="milliseconds")
                point = (design.key, _json(design.config), totals, outcome.failure, outcome.seconds, now)
                self._db.execute("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?)", point)

    def names(self) -> list[str]:
        """Names of the sweeps."""
        with self._told():
            return [name for (name,) in self._db.execute("SELECT name FROM sweeps ORDER BY name")]

    def definition(self, name: str) -> tuple[Sweep, list[str], str]:
        """A sweep as it was run, the keys of its bases, and the version of the code.

        Raises
        ------
        InputError
            Where the store has none of that name.
        """
        with self._told():
            row = self._db.execute("SELECT definition, keys, code FROM sweeps WHERE name = ?", (name,)).fetchone()
        if row is None:
            known = self.names()
            facts = {"allowed": ", ".join(known) or "none: it is empty"}
            nearest = nearest_name(name, known)
            raise InputError(f"no sweep `{name}`", place=Place(str(self.path)), nearest=nearest, facts=facts)
        return Sweep.model_validate(json.loads(row[0])), json.loads(row[1]), row[2]

    def points(self, name: str, keys: Iterable[str] = ()) -> Iterator[Stored]:
        """The points of a sweep that are done, in the order of their numbers, each with its values of `keys`."""
        query = (
            "SELECT number, key, overrides, config, totals, failure, seconds FROM members JOIN points USING (key)"
            " WHERE sweep = ? ORDER BY number"
        )
        with self._told():
            for number, hash_, overrides, config, totals, failure, seconds in self._db.execute(query, (name,)):
                complete, told = json.loads(config), totals and json.loads(totals)
                values = {key: at(complete, key) for key in keys}
                yield Stored(number, hash_, json.loads(overrides), values, told, failure, seconds)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite and the file system refuse becomes the user's message."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise InputError(
                f"cannot be used: {error}",
                place=Place(str(self.path)),
                field="--store",
                facts={"stored": "all points up to here; mend the cause and go on with --resume"},
            ) from None


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
