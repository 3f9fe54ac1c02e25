"""Files of others as text, JSON and rows, within limits that no honest input comes near; YAML is read in yaml_reader.

Whatever is wrong with a file is one InputError with its place: missing, a folder, not UTF-8, too large, too deep, a
number of too many digits, a key written twice.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place, shortened

DEEPEST = 50
"""Levels of lists and sections in one another."""
MOST_VALUES = 200_000
"""Values of a YAML text."""
LARGEST_BITS = 64
"""Of a whole number."""
LARGEST_SUM_BITS = 256
"""Of a whole number in a result, which adds up products of such numbers."""
LARGEST_FILE = 1 << 24
"""Bytes of a file that a user writes."""
LARGEST_RECORD = 1 << 28
"""Bytes of a file that this tool has written: a trace's manifest, a result."""
LARGEST_CELL = 10_000
"""Characters of a cell of a CSV."""

_MOST_DIGITS = len(str(1 << LARGEST_BITS))
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]')


def text_of(path: Path, most_bytes: int = LARGEST_FILE) -> str:
    """The text of a file, a byte order mark left out.

    Raises
    ------
    InputError
        Where it cannot be read, is too large or is not UTF-8.
    """
    place = Place(str(path))
    try:
        with path.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # a ValueError for a zero byte in the name
        raise InputError(getattr(error, "strerror", None) or "cannot be read", place=place) from None
    if len(content) > most_bytes:
        raise InputError(f"larger than {most_bytes:,} bytes", place=place)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", place=place) from None


def json_of(path: Path, most_bytes: int = LARGEST_FILE) -> Any:
    """The value of a JSON file; raises like `text_of`, and like `parse_json`."""
    return parse_json(text_of(path, most_bytes), path)


def parse_json(text: str, path: Path, largest_bits: int = LARGEST_BITS) -> Any:
    """The value of a JSON text; `largest_bits` of a whole number.

    Raises
    ------
    InputError
        For what is not JSON, keys written twice, NaN and Infinity, and what goes beyond the limits.
    """
    _check_depth(text, path)
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_int=partial(_whole, largest_bits), parse_constant=_no_number
        )
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", place=Place(str(path), error.lineno)) from None
    except ValueError as error:
        raise InputError(str(error), place=Place(str(path))) from None


def rows_of(text: str, path: Path) -> Iterator[tuple[Place, list[str]]]:
    """The rows of a CSV with their places, cells stripped; blank lines and lines that begin with # are left out.

    Raises
    ------
    InputError
        For cells that are too long or not CSV.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = Place(str(path), number)
        try:
            cells = [cell.strip() for cell in next(csv.reader([line]))]
        except csv.Error as error:
            raise InputError(f"not CSV: {error}", place=place) from None
        if max(map(len, cells)) > LARGEST_CELL:
            raise InputError(f"a cell of more than {LARGEST_CELL:,} characters", place=place)
        yield place, cells


def whole_number(text: str) -> int | None:
    """The whole number, 0 or more, that a text is; None where it is none, or has too many digits."""
    plain = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if plain else None


def _check_depth(text: str, path: Path) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > DEEPEST:
            line = text.count("\n", 0, match.start()) + 1
            raise InputError(f"more than {DEEPEST} levels of lists and sections", place=Place(str(path), line))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"written twice: {shortened(next(name for name in names if names.count(name) > 1))}")
    return result


def _whole(largest_bits: int, digits: str) -> int:
    if len(digits) > len(str(1 << largest_bits)) + 1:
        raise ValueError(f"a whole number of more than {largest_bits} bits: {shortened(digits)}")
    return int(digits)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
