"""Results as JSON: what result.json holds, and the one place where results are read from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sim.errors import InputError, Place, nearest_name
from sim.laws.conservation import BrokenLawError
from sim.reading import LARGEST_RECORD, LARGEST_SUM_BITS, parse_json, text_of
from sim.result import SCHEMA_VERSION, Layer, Result


def as_data(result: Result) -> dict[str, Any]:
    """The result as plain data, its fields' names as keys."""
    return {name: _plain(getattr(result, name)) for name in _names(Result) or ()}


def layer_data(layer: Layer) -> dict[str, Any]:
    """A layer as plain data."""
    return {name: _plain(getattr(layer, name)) for name in _names(Layer) or ()}


def _plain(value: object) -> Any:
    """As `dataclasses.asdict`, without copies of what does not change."""
    names = _names(type(value))
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...] | None:
    """Names of the fields of a dataclass."""
    if kind not in _NAMES and is_dataclass(kind):
        _NAMES[kind] = tuple(field.name for field in fields(kind))
    return _NAMES.get(kind)


def text(value: object) -> str:
    """Plain data as a file holds it; a number that JSON has no word for is a defect."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of a result.json."""
    return _reader().json_schema()


def load_result(path: Path) -> Result:
    """The result in a result.json, or in the folder that holds one.

    Raises
    ------
    InputError
        Where there is none, its JSON is broken, it is of another schema version, or keys are missing, wrong or
        unknown.
    """
    file = path / "result.json" if path.is_dir() else path
    if path.is_dir() and not file.exists():
        machines = sorted(inner.parent.name for inner in path.glob("*/result.json"))
        allowed = ", ".join(str(path / name) for name in machines) or "a folder that a run has written"
        raise InputError("holds no result.json", place=Place(str(path)), facts={"allowed": allowed})
    written = text_of(file, LARGEST_RECORD)
    value = parse_json(written, file, LARGEST_SUM_BITS)
    _check_version(value, Place(str(file)))
    try:
        return _reader().validate_json(written, strict=True)
    except ValidationError as error:
        raise _explained(error, Place(str(file))) from None
    except BrokenLawError as error:
        raise InputError(f"not a whole result: {error}", place=Place(str(file))) from None


@cache
def _reader() -> TypeAdapter[Result]:
    return TypeAdapter(Result)


def _check_version(value: object, place: Place) -> None:
    if not isinstance(value, dict):
        raise InputError("not a result", place=place, facts={"allowed": "the result.json that a run has written"})
    found = value.get("schema_version", "none")
    if found == SCHEMA_VERSION and type(found) is int:
        return
    told = "not a result of this version"
    if type(found) is int:
        told = f"a result of {'an older' if found < SCHEMA_VERSION else 'a newer'} version of this tool"
    facts = {"found": str(found), "allowed": SCHEMA_VERSION, "mend": "run it again"}
    raise InputError(told, place=place, field="schema_version", facts=facts)


def _explained(error: ValidationError, place: Place) -> InputError:
    """The first thing wrong; an unknown key before the missing one that it may stand for."""
    issues = error.errors()
    issue = next((one for one in issues if one["type"] == "unexpected_keyword_argument"), issues[0])
    field = ".".join(str(part) for part in issue["loc"])
    if issue["type"] == "unexpected_keyword_argument":
        missing = [
            str(one["loc"][-1]) for one in issues if one["type"] == "missing" and one["loc"][:-1] == issue["loc"][:-1]
        ]
        nearest = nearest_name(str(issue["loc"][-1]), missing)
        return InputError("not a result: unknown key", place=place, field=field, nearest=nearest)
    return InputError(f"not a whole result: {issue['msg']}", place=place, field=field)
