"""Sweeps in a store: a sweep is a query over it, for the points that its members name.

Points are shared by all sweeps of a store. A sweep is named by what decides it: its definition, what its bases say, the
code. So an edited file is another sweep, also where it keeps its name; `small@3fa9` tells the two apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from sim.errors import InputError, Place, nearest_name
from sim.runs.code import code_version
from sim.runs.leases import Leases
from sim.runs.store import Store
from sim.runs.workers import WORKER_DIED
from sim.sweep.evaluate import Outcome
from sim.sweep.formulas import at
from sim.sweep.schema import Sweep
from sim.sweep.space import ResolvedPoint, Space

SHOWN_DIGITS = 8
"""Of a sweep's identity, in messages."""


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


@dataclass(frozen=True)
class Definition:
    """A sweep as it was run, the keys of its bases, and the version of the code."""

    identity: str
    sweep: Sweep
    keys: list[str]
    code: str

    @property
    def title(self) -> str:
        return _title(self.sweep.name, self.identity)


class StoredSweeps:
    """The sweeps of a store, opened or made; raises as `Store`."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path, self._store = path, Store(path, make=make)
        self._leases: Leases | None = None

    def begin(self, space: Space, *, resume: bool) -> str | None:
        """Enter a sweep, or go on with it; what is to be said of an earlier one of that name that is another.

        Raises
        ------
        InputError
            Where the store has this sweep and `resume` is not set.
        """
        sweep, identity, store = space.sweep, space.identity, self._store
        with store.change():
            known = store.first("SELECT count(*) FROM members WHERE sweep = ?", identity)
            if known and known[0] and not resume:
                facts = {"found": f"{known[0]} points of it", "allowed": "--resume, another name, or another --store"}
                raise InputError(f"sweep `{sweep.name}` is there", place=Place(str(self.path)), facts=facts)
            other = None if known and known[0] else self._latest(sweep.name)
            [turn] = store.first("SELECT coalesce(max(turn), 0) + 1 FROM sweeps") or (1,)
            definition = sweep.model_dump(mode="json", by_alias=True, exclude_unset=True)
            row = (identity, sweep.name, _json(definition), _json(space.keys), _json(space.bases), code_version(), turn)
            store.write("INSERT OR REPLACE INTO sweeps VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
        self._leases = self._leases or Leases(store)
        if other is None or other == identity:
            return None
        earlier, changed = _title(sweep.name, other), ", ".join(self._changes(other, space)) or "plug-ins"
        return f"changed since {earlier} ({changed}): a sweep of its own, {_title(sweep.name, identity)}"

    def find(self, key: str) -> tuple[dict[str, Any] | None, str | None] | None:
        """Totals and failure of a point; None where it is missing, or only its worker failed."""
        row = self._store.first("SELECT totals, failure FROM points WHERE key = ?", key)
        if row is None or row[1] == WORKER_DIED:
            return None
        return row[0] and self._told(row[0]), row[1]

    def claim(self, space: Space, design: ResolvedPoint) -> Literal["stored", "held", "ours"]:
        """Enter a point into a sweep: it is stored, another process holds it, or it is this one's to compute."""
        assert self._leases is not None, "claims follow `begin`"
        if self._leases.held_elsewhere(design.key):
            return "held"
        with self._store.change():
            member = (space.identity, design.number, design.key, _json(design.overrides))
            self._store.write("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", *member)
            if self.find(design.key) is not None:
                return "stored"
            if self._leases.held_elsewhere(design.key):
                return "held"
            self._leases.take(design.key)
            return "ours"

    def keep(self, design: ResolvedPoint, outcome: Outcome) -> None:
        """Store a point, at once and for good; one that is stored already stays, unless only its worker failed."""
        assert self._leases is not None, "points follow `begin`"
        totals = None if outcome.totals is None else _json(outcome.totals)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        config = _json(design.config)
        point = (design.key, code_version(), config, totals, outcome.failure, outcome.seconds, now)
        with self._store.change():
            self._store.write("DELETE FROM points WHERE key = ? AND failure = ?", design.key, WORKER_DIED)
            self._store.write("INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?, ?, ?)", *point)
            self._leases.let_go(design.key)

    def names(self) -> list[str]:
        """Names of the sweeps; those of several sweeps with their identities."""
        rows = list(self._store.read("SELECT name, sweep FROM sweeps ORDER BY name, turn"))
        names = [name for name, _ in rows]
        return [name if names.count(name) == 1 else _title(name, sweep) for name, sweep in rows]

    def definition(self, told: str) -> Definition:
        """The sweep of a name, the one that ran last where several have it, or of name@identity.

        Raises
        ------
        InputError
            Where the store has no such sweep.
        """
        name, _, digits = told.partition("@")
        query = "SELECT sweep, definition, keys, code FROM sweeps WHERE name = ? AND sweep LIKE ? ORDER BY turn DESC"
        row = self._store.first(query, name, f"{digits}%")
        if row is None:
            known = self.names()
            plain = [one.partition("@")[0] for one in known]
            nearest, facts = nearest_name(told, [*plain, *known]), {"allowed": ", ".join(known) or "none: it is empty"}
            raise InputError(f"no sweep `{told}`", place=Place(str(self.path)), nearest=nearest, facts=facts)
        return Definition(row[0], Sweep.model_validate(self._told(row[1])), self._told(row[2]), row[3])

    def of_file(self, space: Space) -> str:
        """The name of a file's sweep, for `definition`.

        Raises
        ------
        InputError
            Where the store has it not, or has one of that name that is another.
        """
        other = self._latest(space.sweep.name)
        if other is None or self._store.first("SELECT 1 FROM sweeps WHERE sweep = ?", space.identity):
            return f"{space.sweep.name}@{space.identity}" if other else space.sweep.name
        title, changed = _title(space.sweep.name, other), ", ".join(self._changes(other, space)) or "plug-ins"
        facts = {"changed": changed, "allowed": f"{title}, or sweep the file"}
        raise InputError(f"changed since its sweep ran as {title}", place=Place(space.file), facts=facts)

    def points(self, told: str, keys: Iterable[str] = ()) -> Iterator[Stored]:
        """What is done of a sweep named as in `definition`, by number, each point with its values of `keys`."""
        query = (
            "SELECT number, key, overrides, config, totals, failure, seconds FROM members JOIN points USING (key)"
            " WHERE sweep = ? ORDER BY number"
        )
        for number, key, overrides, config, totals, failure, seconds in self._store.read(
            query, self.definition(told).identity
        ):
            complete, done = self._told(config), totals and self._told(totals)
            values = {name: at(complete, name) for name in keys}
            yield Stored(number, key, self._told(overrides), values, done, failure, seconds)

    def close(self) -> None:
        if self._leases is not None:
            with suppress(InputError):  # leases that cannot be given up run out
                self._leases.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _latest(self, name: str) -> str | None:
        row = self._store.first("SELECT sweep FROM sweeps WHERE name = ? ORDER BY turn DESC", name)
        return None if row is None else str(row[0])

    def _changes(self, other: str, space: Space) -> Iterator[str]:
        """What sets a sweep apart from one in the store."""
        row = self._store.first("SELECT definition, bases, code FROM sweeps WHERE sweep = ?", other)
        definition, bases = (self._told(text) for text in (row or ("{}", "{}"))[:2])
        now = space.sweep.model_dump(mode="json", by_alias=True, exclude_unset=True)
        yield from (key for key in sorted({*definition, *now}) if definition.get(key) != now.get(key))
        yield from (name for name, said in space.bases.items() if bases.get(name, said) != said)
        if row is not None and row[2] != code_version():
            yield "code"

    def _told(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise self._store.damaged("a sweep or its points") from None


def _title(name: str, identity: str) -> str:
    return f"{name}@{identity[:SHOWN_DIGITS]}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
