"""The JSON Schemas that editors and readers of results take: printed by `sim.py schema`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import ClassVar

from records.record import RESULTS, ROOT, Record, Sample
from sim.commands.catalogue import Kind, schema_of

PLACES = {
    Kind.ARCH: ROOT / "arch_configs" / "schema" / "arch.json",
    Kind.WORKLOAD: ROOT / "workloads" / "schema" / "workload.json",
    Kind.SWEEP: ROOT / "arch_configs" / "sweeps" / "schema" / "sweep.json",
    Kind.RESULT: RESULTS / "schema" / "result.json",
}


class Schemas(Record):
    name = "schemas"
    files: ClassVar[tuple[Path, ...]] = tuple(PLACES.values())

    def make(self) -> None:
        for kind, path in PLACES.items():
            path.write_text(json.dumps(schema_of(kind), indent=2) + "\n", encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        for kind, path in PLACES.items():
            yield Sample(kind.value, json.loads(path.read_text(encoding="utf-8")), schema_of(kind))
