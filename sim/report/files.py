"""Results on disk.

    run         result.json, layers.csv, report.html
    comparison  comparison.json, comparison.csv, report.html, and a folder a machine with result.json and layers.csv

Writers put a folder in place complete or not at all (sim.report.folder); sim.result.json reads results back.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place
from sim.report.comparison import Standing, standings
from sim.report.document import GENERATOR
from sim.report.folder import new_folder, writing
from sim.report.html import page
from sim.report.markup import Html
from sim.result import SCHEMA_VERSION, Layer, Result
from sim.result.json import as_data, text

Added = Sequence[Html]
"""Sections that a page shows beside its results."""


def write_run(result: Result, folder: Path, overwrite: bool = False) -> None:
    """Write one result and its page into a new `folder`.

    Raises
    ------
    InputError
        Where `folder` exists, unless `overwrite` is set and the folder is a result of this tool.
    """
    with new_folder(folder, overwrite) as inside:
        fill_run(result, inside)


def fill_run(result: Result, folder: Path, *, with_page: bool = True, added: Added = ()) -> None:
    """Write one result and its page into a folder that exists, such as one of `new_folder`."""
    with writing(folder):
        _fill_machine(result, folder)
        if with_page:
            _write_text(folder / "report.html", page([result], datetime.now(UTC), added=added))


def write_comparison(results: Sequence[Result], folder: Path, overwrite: bool = False, baseline: int = 0) -> None:
    """Write several results of the same work, compared with `results[baseline]`, into a new `folder`.

    Raises
    ------
    InputError
        As `write_run`, and where the results are not of the same work.
    """
    with new_folder(folder, overwrite) as inside:
        fill_comparison(results, inside, baseline)


def fill_comparison(
    results: Sequence[Result], folder: Path, baseline: int = 0, *, with_page: bool = True, added: Added = ()
) -> None:
    """Write a comparison into a folder that exists, such as one of `new_folder`."""
    ranking = standings(results, baseline)
    rows = [_row(one) for one in ranking]
    with writing(folder):
        for row, result in zip(rows, results, strict=True):
            machine = folder / _folder_name(row["machine"], folder)
            machine.mkdir()
            row["folder"] = machine.name
            _fill_machine(result, machine)
        comparison = {
            "schema_version": SCHEMA_VERSION,
            "workload": results[baseline].workload,
            "baseline": ranking[baseline].label,
            "machines": rows,
        }
        _write_text(folder / "comparison.json", text(comparison))
        _write_csv(folder / "comparison.csv", rows)
        if with_page:
            _write_text(folder / "report.html", page(results, datetime.now(UTC), baseline, added))


def write_page(results: Sequence[Result], path: Path, overwrite: bool = False, baseline: int = 0) -> None:
    """Write a page alone; `overwrite` replaces nothing but such a page.

    Raises
    ------
    InputError
        Where something stands at `path`, or the results are not of the same work.
    """
    with writing(path):
        own = path.is_file() and GENERATOR in path.read_text(encoding="utf-8", errors="replace")[:500]
        if path.exists() and not (own and overwrite):
            facts = {
                "found": "an earlier page" if own else "something that this tool did not write",
                "allowed": "another file, or --overwrite" if own else "another file",
            }
            raise InputError("exists", place=Place(str(path)), field="--out", facts=facts)
        written = page(results, datetime.now(UTC), baseline)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as holder:
            _write_text(Path(holder) / path.name, written)
            os.replace(Path(holder) / path.name, path)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested keys joined by dots, so that a layer is a row: `units.mxu.busy_cycles`."""
    row: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            row |= {f"{key}.{inner}": one for inner, one in flat(value).items()}
        else:
            row[key] = value
    return row


def _row(one: Standing) -> dict[str, Any]:
    """A machine's line of a comparison."""
    result = one.result
    return {
        "machine": one.label,
        "clock_hertz": result.clock_hertz,
        **asdict(result.totals),
        "speedup": one.speedup,
        "energy_efficiency": one.energy_efficiency,
        "area_efficiency": one.area_efficiency,
        **{f"speedup.{module}": value for module, value in one.module_speedups.items()},
        **{f"energy_picojoules.{group}": value for group, value in result.energy_groups.items()},
        **{f"limit.{key}": value for key, value in asdict(result.limit).items()},
    }


def _fill_machine(result: Result, folder: Path) -> None:
    _write_text(folder / "result.json", text(as_data(result)))
    _write_csv(folder / "layers.csv", [_layer_row(layer) for layer in result.layers])


def _layer_row(layer: Layer) -> dict[str, Any]:
    """A layer's line; work of the vector unit leaves the columns about blocks empty."""
    told = asdict(layer)
    return flat({**told, **{key: told[key] or {} for key in ("schedule", "dram_floor")}})


def _folder_name(label: str, beside: Path) -> str:
    """A file name of a machine's label that is not yet taken in `beside`."""
    name = re.sub(r"[^A-Za-z0-9._%+-]+", "-", label).strip(".-") or "machine"
    number = 1
    while (beside / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a row; a key that a row lacks leaves its cell empty."""
    seen: dict[str, int] = {}
    places = {key: _place(key, seen) for row in rows for key in row}
    columns = sorted(places, key=places.__getitem__)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _place(key: str, seen: dict[str, int]) -> list[int]:
    """Sorts a key by when it, or one with the same beginning, was seen first."""
    parts = key.split(".")
    return [seen.setdefault(".".join(parts[: depth + 1]), len(seen)) for depth in range(len(parts))]
