"""toy.txt: cycles, a line a machine; and the number of spans that it was told of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.report.exporter import Export, Exporter
from sim.runs.runs import Tracer


class Counter:
    """Counts spans."""

    spans = 0

    def begin(self, name: str, offset_cycles: int) -> None:
        pass

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        self.spans += 1


class Lines(Exporter):
    name = "toy-lines"
    summary = "toy.txt, cycles a machine"
    files = ("toy.txt",)

    @contextmanager
    def recorder(self, folder: Path) -> Iterator[Tracer | None]:
        self.counter = Counter()
        yield self.counter

    def write(self, export: Export) -> None:
        lines = [f"{result.machine_name} {result.totals.cycles}" for result in export.results]
        (export.folder / "toy.txt").write_text("\n".join([*lines, f"spans {self.counter.spans}"]) + "\n")
