"""A sweep as files to look at: report.html, points.csv, points.parquet; made anew from the store at any time."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place
from sim.report.folder import is_own_page, writing
from sim.scratch import whole_folder
from sim.sweep.page import page
from sim.sweep.view import View

WRITTEN = ("report.html", "points.csv", "points.parquet")


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds anything but what `write` writes.

    Raises
    ------
    InputError
        Naming what is in the way.
    """
    stranger = None
    if folder.is_dir():
        paths = sorted(folder.iterdir())
        own = is_own_page(folder / "report.html")  # tables alone say not whose they are
        stranger = next((path.name for path in paths if not own or not _is_own(path)), None)
    elif folder.exists():
        stranger = folder.name
    if stranger is not None:
        facts = {"found": f"`{stranger}`, which no sweep wrote", "allowed": "another folder"}
        raise InputError("exists", place=Place(str(folder)), field="--out", facts=facts)


def require_writer() -> None:
    """Refuse where the package that writes points.parquet is not installed.

    Raises
    ------
    InputError
        Saying what to install.
    """
    if find_spec("pyarrow") is None:
        facts = {"install": "anda-sim[sweep]", "or": "--no-report"}
        raise InputError("needs the package pyarrow", field="--report", facts=facts)


def _is_own(path: Path) -> bool:
    return path.name in WRITTEN and (path.suffix != ".html" or is_own_page(path))


def write(view: View, folder: Path) -> None:
    """Write report and tables into `folder`, complete or not at all.

    Raises
    ------
    InputError
        Where `folder` holds other things, or cannot be written.
    """
    refuse_foreign(folder)
    require_writer()
    rows = list(view.rows())
    with writing(folder), whole_folder(folder) as inside:
        (inside / "report.html").write_text(page(view, datetime.now(UTC)), encoding="utf-8")
        _write_csv(inside / "points.csv", rows)
        _write_parquet(inside / "points.parquet", rows)


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _columns(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    table = {name: _alike([row.get(name) for row in rows]) for name in _columns(rows)}
    parquet.write_table(pyarrow.table(table), path)


def _alike(values: list[Any]) -> list[Any]:
    """A column of one type: numbers as they are, a mixture as text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]
