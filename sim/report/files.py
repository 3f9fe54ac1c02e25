"""Results on disk.

    run         result.json                                            and what the exporters write: layers.csv,
    comparison  comparison.json, and a folder a machine with result.json    comparison.csv, report.html, trace.json

Writers put a folder in place complete or not at all (sim.report.folder); sim.result.json reads results back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place
from sim.report.comparison import Standing, standings
from sim.report.exporter import USUAL, Export, Exporter, exporters
from sim.report.folder import file_name, is_own_page, new_folder, writing
from sim.report.html import page
from sim.report.markup import Html
from sim.report.sections import page_sections, sections_of
from sim.result import SCHEMA_VERSION, Result
from sim.result.json import as_data, text
from sim.scratch import whole_file


def write_run(result: Result, folder: Path, overwrite: bool = False) -> None:
    """Write one result, its tables and its page into a new `folder`.

    Raises
    ------
    InputError
        Where `folder` exists, unless `overwrite` is set and the folder is a result of this tool.
    """
    with new_folder(folder, overwrite) as inside:
        fill([result], inside, exporters(USUAL))


def write_comparison(results: Sequence[Result], folder: Path, overwrite: bool = False, baseline: int = 0) -> None:
    """Write several results of the same work, compared with `results[baseline]`, into a new `folder`.

    Raises
    ------
    InputError
        As `write_run`, and where the results are not of the same work.
    """
    with new_folder(folder, overwrite) as inside:
        fill(results, inside, exporters(USUAL), baseline)


def fill(
    results: Sequence[Result],
    folder: Path,
    exporters: Sequence[Exporter],
    baseline: int = 0,
    sections: Sequence[Html] = (),
) -> None:
    """Write one result, or a comparison, into a folder that exists, such as one of `new_folder`."""
    with writing(folder):
        if len(results) == 1:
            export = Export(results, folder, [folder], sections=sections)
        else:
            rows = _compare(results, folder, baseline)
            export = Export(results, folder, [folder / row["folder"] for row in rows], rows, baseline, sections)
        for result, machine in zip(results, export.machines, strict=True):
            _write_text(machine / "result.json", text(as_data(result)))
        for exporter in exporters:
            exporter.write(export)


def _compare(results: Sequence[Result], folder: Path, baseline: int) -> list[dict[str, Any]]:
    """Make the machines' folders and comparison.json; its rows."""
    ranking = standings(results, baseline)
    rows = [_row(one) for one in ranking]
    for row in rows:
        row["folder"] = _folder_name(row["machine"], folder)
        (folder / row["folder"]).mkdir()
    comparison = {
        "schema_version": SCHEMA_VERSION,
        "workload": results[baseline].workload,
        "baseline": ranking[baseline].label,
        "machines": rows,
    }
    _write_text(folder / "comparison.json", text(comparison))
    return rows


def write_page(
    results: Sequence[Result], path: Path, overwrite: bool = False, baseline: int = 0, sections: Sequence[Html] = ()
) -> None:
    """Write a page alone, `sections` among the others; `overwrite` replaces nothing but such a page.

    Raises
    ------
    InputError
        Where something stands at `path`, or the results are not of the same work.
    """
    with writing(path):
        own = is_own_page(path)
        if path.exists() and not (own and overwrite):
            facts = {
                "found": "an earlier page" if own else "something that this tool did not write",
                "allowed": "another file, or --overwrite" if own else "another file",
            }
            raise InputError("exists", place=Place(str(path)), field="--out", facts=facts)
        written = page(results, datetime.now(UTC), baseline, [*sections, *sections_of(page_sections(), results)])
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            _write_text(partial, written)


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


def _folder_name(label: str, beside: Path) -> str:
    """A file name of a machine's label that is not yet taken in `beside`."""
    name = file_name(label)
    number = 1
    while (beside / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
