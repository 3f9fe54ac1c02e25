"""The one store on disk: an SQLite file with a write-ahead log, for runs of pieces, points of sweeps and sweeps alike.

runs      runs of pieces of work, those of other versions of the code dropped: a cache
points    machines with their workloads, by a hash of all of both: totals, or why there are none
sweeps    what was asked, by a hash of it and of the files that it names
members   which points a sweep consists of, and what distinguishes them from their bases
leases    points that a process is at work on           owners    when such a process was last heard of

Only this module knows SQLite; what the tables mean is told by who asks them (pieces, leases, sim.sweep.stored).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sim.errors import InputError, Place

VERSION = 3
APPLICATION = 0x616E6461  # "anda" in the header of the file
WAIT_SECONDS = 60
STORE = "--store"
_TABLES = (
    "CREATE TABLE runs (key TEXT PRIMARY KEY, code TEXT NOT NULL, run TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE points (key TEXT PRIMARY KEY, code TEXT NOT NULL, config TEXT NOT NULL, totals TEXT, failure TEXT,
                            seconds REAL NOT NULL, stored TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE sweeps (sweep TEXT PRIMARY KEY, name TEXT NOT NULL, definition TEXT NOT NULL, keys TEXT NOT NULL,
                            bases TEXT NOT NULL, code TEXT NOT NULL, turn INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE members (sweep TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, overrides TEXT NOT NULL,
                             PRIMARY KEY (sweep, number)) WITHOUT ROWID""",
    "CREATE TABLE leases (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, heard REAL NOT NULL) WITHOUT ROWID",
)


def default_path() -> Path:
    """The cache of runs of a user; one of another layout has another name."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anda-sim" / f"store-{VERSION}.sqlite"


class Store:
    """A store, opened or made; `option` is what the user named it with.

    Raises
    ------
    InputError
        For a file that is no store, a store of another version, and whatever the file system refuses. What was
        stored before stays as it is.
    """

    def __init__(self, path: Path, *, make: bool = False, option: str = STORE) -> None:
        import sqlite3  # here, since most commands keep no store

        self.path, self._option = path, option
        self._refused: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
        if not make and not path.is_file():
            raise self._wrong("no such store")
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            with self._told():
                self._check(make)
        except InputError:
            self._db.close()
            raise

    def read(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows that a query gives."""
        with self._told():
            yield from self._db.execute(query, values)

    def first(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """The first row that a query gives."""
        return next(self.read(query, *values), None)

    def write(self, statement: str, *values: object) -> None:
        """Change rows, at once and for good, or with the rest of the `change` around it."""
        with self._told():
            self._db.execute(statement, values)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Writes that are done together or not at all; other processes wait meanwhile."""
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def damaged(self, table: str) -> InputError:
        """The error for a row that this tool cannot have written."""
        return self._wrong(f"damaged: a row of {table} is not what this tool writes")

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self, make: bool) -> None:
        if make and self._empty():
            self._make()
        version, application = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
        )
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if application != APPLICATION and tables != {"runs"}:  # that is how the first caches looked
            raise self._wrong("not a store of this tool")
        if application != APPLICATION or version != VERSION:
            age = "a newer" if version > VERSION else "an older"
            facts = {"found": f"version {version or 1}", "allowed": f"version {VERSION}, or another file"}
            raise self._wrong(f"a store of {age} version of this tool", **facts)
        self._db.execute("PRAGMA synchronous = NORMAL")

    def _empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM sqlite_master").fetchone() is None

    def _make(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        with self.change():
            if self._empty():  # nobody else made it meanwhile
                for table in _TABLES:
                    self._db.execute(table)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _wrong(self, problem: str, **facts: object) -> InputError:
        return InputError(problem, place=Place(str(self.path)), field=self._option, facts=facts)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite and the file system refuse becomes the user's message."""
        try:
            yield
        except self._refused as error:
            kept = {"stored": "all points up to here; mend the cause and go on with --resume"}
            facts = kept if self._option == STORE else {"allowed": f"another {self._option}"}
            raise self._wrong(f"cannot be used: {error}", **facts) from None
