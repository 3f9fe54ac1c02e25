"""Expressions where a number belongs: `port_bits: mxu.rows * pe.word_bits`, evaluated before a machine is validated.

Names are dotted keys of the machine, those left to their defaults included, and what its parts tell. Each expression is
evaluated once, after those that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

from sim import expression, source
from sim.arch.schema import Arch
from sim.arch.section import MachineSection
from sim.errors import InputError, nearest_name
from sim.expression import Expression
from sim.source import Source
from sim.yaml_reader import Path_

LARGEST = 2**63 - 1
EXACT = 2**53
"""Up to here every whole number is a float."""
Told = Mapping[str, Callable[[Source], int]]
"""What a part tells, by name, given a description whose section of the part is resolved. The first word of the name is
the part, its keys those of SECTIONS."""
SECTIONS = {"pe": "mxu"}
ABSENT = object()
_parsed = lru_cache(maxsize=4096)(expression.parse)


def resolved(described: Source, told: Told) -> Source:
    """The description with every expression replaced by its value, the texts remembered beside them.

    Raises
    ------
    InputError
        For an expression without a value, with its file and line; where something else is wrong with the description,
        for that.
    """
    texts = dict(_texts(Arch, described.values, ()))
    if not texts:
        return described
    resolver = _Resolver(described, texts, told)
    try:
        for path in texts:
            resolver.value(path)
    except InputError:
        # A misspelt key is also a name that an expression lacks; the key itself is told first.
        source.check(Arch, resolver.source(), besides=resolver.open)
        raise
    return resolver.source()


def check(described: Source, told: Told, besides: Set[Path_]) -> None:
    """Refuse what no other value of another key can mend: a key or a value as `validate` does, a text that is no
    expression, and one that names nothing; values at some paths aside."""
    texts = dict(_texts(Arch, described.values, ()))
    source.check(Arch, described, besides=besides | texts.keys())
    resolver = _Resolver(described, texts, told)
    for path in texts:
        with resolver.told_at(path):
            resolver.lookups(path)


class _Resolver:
    """One description; `open` are the expressions that have no value yet."""

    def __init__(self, described: Source, texts: Mapping[Path_, str], told: Told) -> None:
        self._described, self._texts, self._told = described, texts, told
        self._values = described.values
        self._under_way: list[str] = []
        self.open = set(texts)

    def source(self) -> Source:
        return replace(self._described, values=self._values, expressions=self._texts)

    def value(self, path: Path_) -> Any:
        """The value of an expression; what it names comes first."""
        if path in self.open:
            with self.told_at(path), _Turn(self._under_way, ".".join(map(str, path))):
                lookups = self.lookups(path)
                value = _size(self._parsed(path)(lambda name: lookups[name]()))
            self._values = replaced(self._values, path, value)
            self.open.discard(path)
        return _at(self._values, path)

    def lookups(self, path: Path_) -> dict[str, Callable[[], Any]]:
        """What gives the value of each name in an expression."""
        return {name: self._lookup(name) for name in self._parsed(path).names}

    @contextmanager
    def told_at(self, path: Path_) -> Iterator[None]:
        """Say of an error which expression it is about, unless that is said already."""
        try:
            yield
        except InputError as error:
            if error.place is not None:
                raise
            facts = {"expression": self._texts[path]} | error.facts
            place, field = self._described.place(path), ".".join(map(str, path))
            raise InputError(error.problem, place=place, field=field, nearest=error.nearest, facts=facts) from None

    def _parsed(self, path: Path_) -> Expression:
        return _parsed(self._texts[path], "")

    def _lookup(self, name: str) -> Callable[[], Any]:
        path = tuple(name.split("."))
        if name in self._told:
            return lambda: self._tell(name)
        if path in self._texts:
            return lambda: self.value(path)
        value = _at(self._values, path)
        if value is ABSENT:
            value = _default(Arch, path, self._values)
        if value is None and name not in _keys(Arch, self._values):
            value = ABSENT
        if isinstance(value, dict | list):
            raise InputError(f"`{name}` is no single value")
        if value is ABSENT:
            nearest = nearest_name(name, [*_keys(Arch, self._values), *self._told])
            allowed = f"keys such as mxu.rows, and {', '.join(self._told)}"
            raise InputError(f"`{name}` is neither a number nor a key", nearest=nearest, facts={"allowed": allowed})
        return lambda: value

    def _tell(self, name: str) -> int:
        section = SECTIONS[name.partition(".")[0]]
        with _Turn(self._under_way, name):
            for path in self._texts:
                if path[0] == section:
                    self.value(path)
            return self._told[name](self.source())


class _Turn:
    """One name being worked out, among those that wait for it."""

    def __init__(self, under_way: list[str], name: str) -> None:
        self._under_way, self._name = under_way, name

    def __enter__(self) -> None:
        if self._name in self._under_way:
            chain = [*self._under_way[self._under_way.index(self._name) :], self._name]
            raise InputError(f"depends on itself: {' -> '.join(chain)}")
        self._under_way.append(self._name)

    def __exit__(self, *_: object) -> None:
        self._under_way.remove(self._name)


def _size(value: Any) -> Any:
    """The value with a float that is a whole number as that number."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        value = int(value)
    if isinstance(value, int) and abs(value) > LARGEST:
        raise InputError(f"too large: found {value}", facts={"allowed": f"up to {LARGEST}"})
    return value


def _texts(model: type[MachineSection], values: Mapping[str, Any], path: Path_) -> Iterator[tuple[Path_, str]]:
    """Texts that stand where a number belongs."""
    fields = _fields(model)
    for key, value in values.items():
        numeric, sections = fields.get(key, (False, ()))
        if numeric and isinstance(value, str):
            yield (*path, key), value
        elif isinstance(value, dict):
            for section in sections:
                yield from _texts(section.described_by(value), value, (*path, key))


@cache
def _fields(model: type[MachineSection]) -> dict[str, tuple[bool, tuple[type[MachineSection], ...]]]:
    """Of every key whether it takes a number, and the sections it may hold."""
    found = {}
    for name, field in model.model_fields.items():
        types = set(_types(field.annotation))
        sections = tuple(one for one in types if isinstance(one, type) and issubclass(one, MachineSection))
        found[field.alias or name] = bool(types & {int, float}) and str not in types, sections
    return found


def _types(annotation: Any) -> Iterator[Any]:
    arguments = () if get_origin(annotation) is Literal else get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _types(argument)


def _keys(model: type[MachineSection], values: Any, prefix: str = "") -> list[str]:
    """Every dotted key that holds a single value, in sections with these values."""
    found: list[str] = []
    for name, (_, sections) in _fields(model).items():
        inside = _inside(values, name)
        inner = [key for one in sections for key in _keys(one.described_by(inside), inside, f"{prefix}{name}.")]
        found += inner or ([] if name == "source" else [f"{prefix}{name}"])
    return found


def _default(model: type[MachineSection], path: Path_, values: Any) -> Any:
    """What a key that is not written has; None for the keys of a section that is absent."""
    name = str(path[0])
    field, inside = model.model_fields.get(name), _inside(values, name)
    if field is None:
        return ABSENT
    if len(path) == 1:
        return ABSENT if field.default is PydanticUndefined else field.default
    if field.default is None:
        return None
    inner = (_default(one.described_by(inside), path[1:], inside) for one in _fields(model)[name][1])
    return next((found for found in inner if found is not ABSENT), ABSENT)


def _inside(values: Any, name: str) -> Mapping[str, Any]:
    inside = values.get(name) if isinstance(values, Mapping) else None
    return inside if isinstance(inside, Mapping) else {}


def _at(values: Any, path: Path_) -> Any:
    """The value at a path; None below a section that is null."""
    for key in path:
        if values is None:
            return None
        if not isinstance(values, dict) or key not in values:
            return ABSENT
        values = values[key]
    return values


def replaced(values: Mapping[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """Nested sections with one value replaced; what is not on the path is shared."""
    head, *rest = path
    return {**values, str(head): replaced(values[str(head)], tuple(rest), value) if rest else value}
