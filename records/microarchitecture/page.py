"""docs/microarchitecture.md: its diagrams, drawn from runs, and its tables, from records, between its markers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import ClassVar

from records.microarchitecture.diagrams import diagrams
from records.record import RESULTS, ROOT, Record, Sample, read, unversioned
from sim.rtl import tables
from sim.rtl.checks.build import missing_tool
from sim.runs.code import made_by

PAGE = ROOT / "docs" / "microarchitecture.md"
RECORDS = RESULTS / "rtl"
BEGIN, END = "<!-- drawn: ", "<!-- end -->"


def drawings() -> dict[str, str]:
    """Text behind each marker."""
    measured, checks = read(RECORDS / "area.json"), read(RECORDS / "checks.json")
    return {
        "version": f"made by {made_by()}",
        **diagrams(),
        "checks": tables.checked(checks),
        "simulated only": tables.simulated_only(checks),
        "faults": tables.planted(checks),
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


class Microarchitecture(Record):
    name = "microarchitecture"
    files: ClassVar[tuple[Path, ...]] = (PAGE,)

    def make(self) -> None:
        PAGE.write_text(drawn_into(PAGE.read_text(encoding="utf-8"), drawings()), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        page = PAGE.read_text(encoding="utf-8")
        yield Sample("docs/microarchitecture.md", unversioned(page), unversioned(drawn_into(page, drawings())))

    def missing(self) -> str | None:
        return missing_tool()
