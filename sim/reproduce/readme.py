"""The README's table of the reproduction, from recorded results: `python -m sim.reproduce.readme` renews it."""

from __future__ import annotations

import json
from typing import Any

from sim import shipped
from sim.errors import InputError, Place

BEGIN, END = "<!-- reproduction:begin -->", "<!-- reproduction:end -->"
RECORD = shipped.ROOT / "results" / "reproduction" / "reproduction.json"
README = shipped.ROOT / "README.md"
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


def main() -> None:
    """Renew the README's table."""
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    README.write_text(with_table(README.read_text(encoding="utf-8"), recorded), encoding="utf-8")


if __name__ == "__main__":
    main()
