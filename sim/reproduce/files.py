"""The reproduction on disk: reproduction.json, reproduction.csv and report.html in one folder."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place
from sim.report.folder import is_own_page, writing
from sim.reproduce.cells import PaperCell, Role, Table
from sim.reproduce.page import page
from sim.reproduce.reproduction import Reproduction
from sim.scratch import whole_folder

SCHEMA_VERSION = 2
JSON, CSV, HTML = "reproduction.json", "reproduction.csv", "report.html"


def check(folder: Path) -> None:
    """Refuse a folder whose files would be mixed with those of a reproduction.

    Raises
    ------
    InputError
        Where `folder` holds something else than an earlier reproduction.
    """
    names = {path.name for path in folder.glob("*")}
    strangers = sorted(names - {JSON, CSV, HTML} if is_own_page(folder / HTML) else names)
    if folder.exists() and (not folder.is_dir() or strangers):
        facts = {"found": strangers[0] if strangers else "a file", "allowed": "a folder of its own"}
        raise InputError("holds something else", place=Place(str(folder)), field="--out", facts=facts)


def write(reproduction: Reproduction, folder: Path) -> None:
    """Write all files into a folder of their own; an earlier reproduction is replaced."""
    check(folder)
    told = as_data(reproduction)
    texts = {
        JSON: json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        CSV: as_csv(told),
        HTML: page(reproduction),
    }
    with writing(folder), whole_folder(folder) as inside:
        for name, text in texts.items():
            (inside / name).write_text(text, encoding="utf-8", newline="")


def as_data(reproduction: Reproduction) -> dict[str, Any]:
    """Sections, tables and cells as plain data; numbers to six significant digits."""
    return {
        "schema_version": SCHEMA_VERSION,
        "code": reproduction.code,
        "score": None
        if reproduction.score is None
        else {
            "predictions": reproduction.score.predictions,
            "within": reproduction.score.within,
            "median_error": _rounded(reproduction.score.median),
            "largest_error": _rounded(reproduction.score.largest),
        },
        "verdicts": {verdict.value: count for verdict, count in sorted(reproduction.verdicts.items())},
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "place": section.place,
                "note": section.note,
                "tables": [_table(table) for table in section.tables],
            }
            for section in reproduction.sections
        ],
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "quantity": table.quantity,
        "note": table.note,
        "cells": [_cell(cell) for cell in table.cells],
    }


def _cell(cell: PaperCell) -> dict[str, Any]:
    return {
        "row": cell.row,
        "column": cell.column,
        "paper": cell.paper,
        "simulated": _rounded(cell.simulated),
        "difference": None if cell.difference is None else _rounded(cell.difference),
        "role": cell.role and cell.role.value,
        "limit": cell.tolerance.limit if cell.role is Role.PREDICTED else None,
        "verdict": cell.verdict.value,
        "reason": cell.reason,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def as_csv(told: dict[str, Any]) -> str:
    """A line a cell."""
    text = io.StringIO()
    rows = [
        {"section": section["name"], "table": table["name"], **cell}
        for section in told["sections"]
        for table in section["tables"]
        for cell in table["cells"]
    ]
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
