"""YAML as a user wrote it: values together with the file and line of every key.

load(path)      one file, `extends:` followed, later files over earlier ones
with_overrides  `--set mxu.rows=32`
validate        a pydantic model of it, or one InputError that points at the line
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sim import shipped
from sim.errors import InputError, Place, nearest_name, shortened
from sim.reading import DEEPEST, text_of
from sim.yaml_reader import Path_, parse

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Source:
    """Plain data and where each key of it stands; of values that were computed, the expressions."""

    values: dict[str, Any]
    places: Mapping[Path_, Place]
    file: str
    expressions: Mapping[Path_, str] = field(default_factory=dict)

    def place(self, path: Path_) -> Place:
        """The place of `path`, or of the nearest key above it that was written down."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.file)

    def facts(self, path: Path_) -> dict[str, object]:
        """How a value came about, for a message about it."""
        return {"expression": self.expressions[path]} if path in self.expressions else {}


def load(path: Path, folder: str) -> Source:
    """Read a YAML file; `extends: NAME` lays it over a shipped file or one beside it.

    Raises
    ------
    InputError
        For text that is not YAML, a key written twice, or a chain of `extends` that closes on itself.
    """
    return _load(path, folder, ())


def _load(path: Path, folder: str, seen: tuple[Path, ...]) -> Source:
    if path.resolve() in seen:
        chain = " -> ".join(p.name for p in (*seen, path))
        raise InputError(f"extends itself: {chain}", place=Place(str(path)), field="extends")
    own = read(path)
    parent_name = own.values.pop("extends", None)
    if parent_name is None:
        return own
    place = own.place(("extends",))
    if not isinstance(parent_name, str):
        raise InputError(f"expected the name of a file, found {_shown(parent_name)}", place=place, field="extends")
    beside = path.parent / parent_name
    try:
        parent_path = beside if shipped.is_file(beside) else shipped.find(parent_name, folder)
    except InputError as error:
        named = f"extends: {shortened(parent_name)}"
        raise InputError(error.problem, place=place, field=named, nearest=error.nearest, facts=error.facts) from None
    parent = _load(parent_path, folder, (*seen, path.resolve()))
    values = _merged(parent.values, own.values)
    return Source(values, {**parent.places, **own.places}, str(path))


def read(path: Path) -> Source:
    """Read one YAML file as data, with the line of every key."""
    values, places = parse(text_of(path), lambda mark: Place(str(path), mark.line + 1 if mark else None))
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InputError(f"expected keys and values, found {_kind(values)}", place=Place(str(path), 1))
    return Source(values, places, str(path))


OF_A_KIND = frozenset({"dram"})
"""Sections whose keys are those of a kind: they begin anew where a file names the kind."""


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict) and not (key in OF_A_KIND and "kind" in value):
            result[key] = _merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def with_overrides(source: Source, assignments: Iterable[str], option: str = "--set") -> Source:
    """Lay `key.path=value` assignments of an option over a source; values are read as YAML."""
    values, places = copy.deepcopy(source.values), dict(source.places)
    for assignment in assignments:
        place = Place(f"{option} {shortened(assignment)}")
        dotted, equals, text = assignment.partition("=")
        if not equals or not all(dotted.split(".")):
            raise InputError("expected KEY=VALUE, such as mxu.rows=32", place=place)
        value, _ = parse(text, lambda mark, place=place: place)  # type: ignore[misc]
        *parents, last = dotted.split(".")
        if len(parents) > DEEPEST:
            raise InputError(f"more than {DEEPEST} levels of sections", place=place)
        level = values
        for parent in parents:
            level = level.setdefault(parent, {})
            if not isinstance(level, dict):
                raise InputError(f"`{parent}` is a single value, not a section", place=place, field=dotted)
        level[last] = value
        path = tuple(dotted.split("."))
        places = {key: at for key, at in places.items() if key[: len(path)] != path}
        places[path] = place
    return Source(values, places, source.file)


def validate(model: type[Model], source: Source) -> Model:
    """The model of a source.

    Raises
    ------
    InputError
        For the first thing that does not fit: file, line, key, what was found and what is allowed.
    """
    try:
        return model.model_validate(source.values, strict=True)
    except ValidationError as error:
        raise _explained(error.errors(), model, source) from None


def check(model: type[Model], source: Source, *, besides: Container[Path_]) -> None:
    """Refuse what `validate` refuses, the values at some paths aside."""
    try:
        model.model_validate(source.values, strict=True)
    except ValidationError as error:
        issues = [issue for issue in error.errors() if _without_tags(issue["loc"], source.values) not in besides]
        if issues:
            raise _explained(issues, model, source) from None


def _explained(issues: list[ErrorDetails], model: type[BaseModel], source: Source) -> InputError:
    # An unknown key often explains the missing one beside it, so it is told first.
    issue = next((item for item in issues if item["type"] == "extra_forbidden"), issues[0])
    at_fault = getattr(issue.get("ctx", {}).get("error"), "key", None)
    path = _without_tags(issue["loc"], source.values) + ((at_fault,) if at_fault else ())
    place, field, facts = source.place(path), shortened(".".join(str(part) for part in path)), source.facts(path)
    if issue["type"] == "extra_forbidden":
        allowed = sorted(_keys_at(model, path[:-1], source.values))
        nearest = nearest_name(str(path[-1]), allowed)
        return InputError(
            "unknown key", place=place, field=field, nearest=nearest, facts={"allowed": ", ".join(allowed)}
        )
    if issue["type"] == "missing":
        return InputError("missing", place=place, field=field)
    if issue["type"] == "value_error":
        return InputError(f"{issue['ctx']['error']}", place=place, field=field or None, facts=facts)
    if issue["type"] == "literal_error":
        allowed_text = issue["ctx"]["expected"].replace("'", "")
        nearest = nearest_name(str(issue["input"]), allowed_text.replace(" or ", ", ").split(", "))
        problem = f"found {shortened(repr(issue['input']))}"
        return InputError(problem, place=place, field=field, nearest=nearest, facts={"allowed": allowed_text} | facts)
    expected = (
        issue["msg"]
        .replace("String should have", "a text of")
        .removeprefix("Input should be ")
        .removeprefix("a valid ")
    )
    if issue["type"] in ("model_type", "dict_type", "model_attributes_type"):
        expected = "a section of keys"
    if issue["type"] == "invalid_key":
        return InputError(f"expected a name, found {_shown(path[-1])}", place=place, field=field)
    problem = f"expected {expected}, found {_shown(issue['input'])}"
    return InputError(problem, place=place, field=field or None, facts=facts)


def _without_tags(path: Path_, values: Any) -> Path_:
    """The path as the user wrote it: pydantic adds the names of a union's alternatives to it."""
    kept: list[str | int] = []
    for index, part in enumerate(path):
        known = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if known:
            values = values[part]
        elif index < len(path) - 1 or not isinstance(values, dict):
            continue
        kept.append(part)
    return tuple(kept)


def _keys_at(model: Any, path: Path_, values: Any) -> set[str]:
    """Names of the fields that stand under `path` in a model of these values, unions and lists looked through."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if isinstance(values, dict) and hasattr(model, "described_by"):
            model = model.described_by(values)
        if not path:
            return {field.alias or name for name, field in model.model_fields.items()}
        for name, field in model.model_fields.items():
            if path[0] in (name, field.alias):
                return _keys_at(field.annotation, path[1:], _inside(values, path[0]))
        return _keys_at(model, path[1:], values)
    inner = path[1:] if path and isinstance(path[0], int) else path
    return set().union(*(_keys_at(argument, inner, values) for argument in get_args(model)), set())


def _inside(values: Any, key: str | int) -> Any:
    return values.get(key) if isinstance(values, dict) else None


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else "a single value"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a section of keys"
    if isinstance(value, str):
        hint = " (text; YAML writes it 1.0e+9)" if _looks_like_float(value) else " (text)"
        return shortened(repr(value)) + hint
    return shortened(repr(value))


def _looks_like_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "e" in text.lower()
