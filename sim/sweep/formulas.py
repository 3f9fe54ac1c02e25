"""The expressions of a sweep with their names understood: keys by any unique ending, results, derived quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sim.errors import InputError, Place, nearest_name
from sim.expression import Expression, Lookup, parse
from sim.source import Source
from sim.sweep.results import QUANTITIES
from sim.sweep.schema import Sweep

DESCRIBED = ".describes."
"""In keys of what a cost figure is of, which have the names of the keys that a machine is made of."""
KNOWN_BEFORE = {"area"}
"""Results that need no simulation."""


class Formulas:
    """All expressions of a sweep.

    Parameters
    ----------
    keys
        Every key of the base machines and workloads, `arch.` or `workload.` in front.
    source
        Gives the places for messages.

    Raises
    ------
    InputError
        For an expression that is none, and for a name that means nothing or several things.
    """

    def __init__(self, sweep: Sweep, keys: Iterable[str], source: Source) -> None:
        self._keys, self._source = frozenset(keys), source
        self._meaning: dict[str, str] = {}
        self._known = list(QUANTITIES)
        self.derived: dict[str, Expression] = {}
        for name, text in sweep.derived.items():
            self._check_new(name)
            self.derived[name] = self._parsed(text, ("derived", name))
            self._known.append(name)
        constraints = [self._parsed(text, ("constraints", i)) for i, text in enumerate(sweep.constraints)]
        self.before = [one for one in constraints if self._results_in(one) <= KNOWN_BEFORE]
        self.after = [one for one in constraints if one not in self.before]
        self.objectives = [self._parsed(text, ("objectives", i)) for i, text in enumerate(sweep.objectives)]

    @property
    def read(self) -> frozenset[str]:
        """The keys that stand in any expression."""
        return self._keys.intersection(self._meaning.values())

    def lookup(self, config: Callable[[str], Any], results: Callable[[str], Any]) -> Lookup:
        """A lookup of all names at one point, given its keys and its results."""
        derived: dict[str, Any] = {}

        def look(written: str) -> Any:
            name = self._meaning[written]
            if name in self.derived:
                if name not in derived:
                    derived[name] = self.derived[name](look)
                return derived[name]
            return results(name) if name in QUANTITIES else config(name)

        return look

    def _parsed(self, text: str, path: tuple[str | int, ...]) -> Expression:
        field, place = ".".join(map(str, path)), self._source.place(path)
        expression = parse(text, field, place)
        for name in expression.names:
            self._meaning[name] = self._meant(name, field, place, text)
        if not expression.names:
            try:
                expression(self._meaning.__getitem__)  # the same at every point, so refused before any
            except InputError as error:
                raise error.at(place) from None
        return expression

    def _meant(self, name: str, field: str, place: Place, text: str) -> str:
        if name in self._known or name in self._keys:
            return name
        found = sorted(key for key in self._keys if key.endswith(f".{name}") and DESCRIBED not in key)
        if len(found) == 1:
            return found[0]
        if found:
            problem = f"`{name}` means several keys"
            raise InputError(problem, place=place, field=field, facts={"found": text, "such as": ", ".join(found[:4])})
        endings = {key.rpartition(".")[2] for key in self._keys}
        nearest = nearest_name(name, [*self._known, *sorted(endings), *sorted(self._keys)])
        facts = {"found": text, "allowed": ", ".join([*self._known, "keys such as arch.mxu.rows"])}
        raise InputError(f"`{name}` is unknown", place=place, field=field, nearest=nearest, facts=facts)

    def _check_new(self, name: str) -> None:
        place, field = self._source.place(("derived", name)), f"derived.{name}"
        if not name.isidentifier():
            raise InputError("expected a name of letters, digits and _", place=place, field=field)
        if name in QUANTITIES:
            raise InputError("a result has this name already", place=place, field=field)

    def _results_in(self, expression: Expression) -> set[str]:
        """Results that an expression needs, also by way of derived quantities."""
        needed: set[str] = set()
        for written in expression.names:
            name = self._meaning[written]
            if name in self.derived:
                needed |= self._results_in(self.derived[name])
            elif name in QUANTITIES:
                needed.add(name)
        return needed


def at(config: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of nested sections; None where a section is absent."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def keys_of(config: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """Every dotted key of nested sections."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from keys_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
