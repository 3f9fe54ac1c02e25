"""`sim.py rtl check --mutations`: every check with all its cases, and the planted faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import ClassVar

from records.record import RESULTS, Record, Sample, read
from sim.rtl.checks.build import missing_tool
from sim.rtl.checks.suite import find
from sim.rtl.report import run_checks

RECORD = RESULTS / "rtl" / "checks.json"


class RtlChecks(Record):
    name = "rtl-checks"
    files: ClassVar[tuple[Path, ...]] = (RECORD,)

    def make(self) -> None:
        run_checks([], None, mutations=True, out=RECORD)

    def samples(self, random: Random) -> Iterator[Sample]:
        row = random.choice(read(RECORD)["checks"])
        compared = find(f"{row['unit']} {row['variant']}").compare()
        made = {
            "cases": len(compared),
            "differing": sum(bool(case.differences) for case in compared),
            "handshakes": sum(case.handshakes for case in compared),
            "bits": sum(case.bits for case in compared),
        }
        yield Sample(f"{row['unit']} {row['variant']}", {key: row[key] for key in made}, made)

    def missing(self) -> str | None:
        return missing_tool()
