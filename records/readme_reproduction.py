"""The README's table of the reproduction, from recorded results: `python -m records.readme_reproduction` renews it."""

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
    """Markdown: one row a machine; simulated, the paper's in brackets, and a note for what differs by more than 2 %.

    Parameters
    ----------
    recorded
        The content of reproduction.json.
    """
    means = {section["name"]: section["tables"][0]["cells"] for section in recorded["sections"]}
    columns = [
        {cell["row"]: cell for cell in means[section] if cell["column"] == column}
        for section, column in COLUMNS.values()
    ]
    reasons = list(dict.fromkeys(cell["reason"] for column in columns for cell in column.values() if cell["reason"]))
    lines = [f"| over FP-FP (paper) | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(columns)]
    lines += [
        f"| {machine} | {' | '.join(_number(column[machine], reasons) for column in columns)} |"
        for machine in columns[0]
    ]
    return "\n".join([*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, start=1))])


def _number(cell: dict[str, Any], reasons: list[str]) -> str:
    told = f"{cell['simulated']:.2f} ({cell['paper']:.2f})"
    if not cell["reason"]:
        return told
    return f"{told} {100 * cell['difference']:+.1f} % [{reasons.index(cell['reason']) + 1}]"


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
