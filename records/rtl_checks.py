"""`sim.py rtl check --mutations`: every check with all its cases, and the planted faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from records.record import RESULTS, ROOT, Record, Sample, read
from sim.rtl.checks.build import missing_tool
from sim.rtl.checks.suite import find
from sim.rtl.report import run_checks

RECORD, README = RESULTS / "rtl" / "checks.json", ROOT / "README.md"
SENTENCE = re.compile(r"[\d,]+ random cases, [\d,]+ handshakes, no cycle and no bit of difference; \d+ planted faults")


def sentence(record: dict[str, Any]) -> str:
    """What the README says of the record.

    Raises
    ------
    ValueError
        Where something differed, which this sentence could not say.
    """
    checks, faults = record["checks"], record["mutations"]
    if any(row["differing"] for row in checks) or not all(fault["seen"] or fault["equivalent"] for fault in faults):
        raise ValueError("a check differs, or a planted fault was not caught")
    cases, handshakes = (sum(row[key] for row in checks) for key in ("cases", "handshakes"))
    told = f"{cases:,} random cases, {handshakes:,} handshakes, no cycle and no bit of difference"
    return f"{told}; {sum(bool(fault['seen']) for fault in faults)} planted faults"


class RtlChecks(Record):
    name = "rtl-checks"
    files: ClassVar[tuple[Path, ...]] = (RECORD, README)

    def make(self) -> None:
        run_checks([], None, mutations=True, out=RECORD)
        README.write_text(_renewed(README.read_text(encoding="utf-8")), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        readme = README.read_text(encoding="utf-8")
        yield Sample("the README's counts", readme, _renewed(readme))
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


def _renewed(readme: str) -> str:
    """The README with its sentence about the checks renewed."""
    return SENTENCE.sub(sentence(read(RECORD)), readme)
