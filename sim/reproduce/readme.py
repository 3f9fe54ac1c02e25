"""The README's main table, made from recorded results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place

BEGIN = "<!-- reproduction: written by `sim.py reproduce`; do not edit -->"
END = "<!-- end of reproduction -->"
COLUMNS = {
    "speedup": ("speedup", "mean of modules"),
    "area efficiency": ("area", "printed total, mean of modules"),
    "energy efficiency": ("energy", "total times"),
}
"""Heading to the section and the column of its table of means that the paper's number is compared with."""


def table(recorded: dict[str, Any]) -> str:
    """Markdown: one row a machine; simulated, paper's in brackets, and where they differ by more than 2 %, by how much.

    Parameters
    ----------
    recorded
        The content of reproduction.json.
    """
    means = {section["name"]: section["tables"][0]["cells"] for section in recorded["sections"]}
    columns = {
        heading: {cell["row"]: cell for cell in means[section] if cell["column"] == column}
        for heading, (section, column) in COLUMNS.items()
    }
    lines = [
        "| over FP-FP; paper in brackets | " + " | ".join(columns) + " | differs by more than 2 % |",
        "|---|" + "---|" * len(columns) + "---|",
    ]
    for machine in columns["speedup"]:
        cells = {heading: column[machine] for heading, column in columns.items()}
        numbers = (f"{cell['simulated']:.2f}x ({cell['paper']:.2f})" for cell in cells.values())
        lines.append(f"| {machine} | " + " | ".join(numbers) + f" | {'; '.join(_missing(cells))} |")
    return "\n".join(lines)


def _missing(cells: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{heading} {100 * cell['difference']:+.1f} %: {cell['reason']}"
        for heading, cell in cells.items()
        if cell["reason"]
    ]


def with_table(readme: str, recorded: dict[str, Any]) -> str:
    """The README with its table renewed.

    Raises
    ------
    InputError
        Where the two markers are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError("the markers of the main table are missing", place=Place("README.md"))
    return f"{before}{BEGIN}\n{table(recorded)}\n{END}{after}"


def renew(readme: Path, record: Path) -> None:
    """Rewrite a README from a reproduction.json."""
    recorded = json.loads(record.read_text(encoding="utf-8"))
    readme.write_text(with_table(readme.read_text(encoding="utf-8"), recorded), encoding="utf-8")
