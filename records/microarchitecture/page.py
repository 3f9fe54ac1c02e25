"""Fills docs/microarchitecture.md with diagrams of runs and tables of records, between its markers.

python -m records.microarchitecture.page
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from records.microarchitecture.diagrams import diagrams
from sim.rtl import tables
from sim.shipped import ROOT

PAGE = ROOT / "docs" / "microarchitecture.md"
RECORDS = ROOT / "results" / "rtl"
BEGIN, END = "<!-- drawn: ", "<!-- end -->"


def drawings() -> dict[str, str]:
    """Text behind each marker."""
    measured = json.loads((RECORDS / "area.json").read_text())
    return {
        **diagrams(),
        "checks": tables.checked(json.loads((RECORDS / "checks.json").read_text())),
        "PEs": tables.processing_elements(measured),
        "parts": tables.parts(measured),
        "front ends": tables.front_ends(measured),
        "operands": tables.operands(measured),
    }


def drawn_into(page: str, texts: Mapping[str, str]) -> str:
    """The page with its text behind each marker.

    Raises
    ------
    KeyError
        For a marker of which there is no text.
    """
    return "\n".join(_lines(page.split("\n"), texts))


def _lines(lines: Sequence[str], texts: Mapping[str, str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith(BEGIN):
            yield line
            yield from ("```text", texts[line.removeprefix(BEGIN).removesuffix(" -->")], "```")
            inside = True
        elif line == END:
            inside = False
        if not inside:
            yield line


if __name__ == "__main__":
    PAGE.write_text(drawn_into(PAGE.read_text(), drawings()))
