"""trace.json: what every unit does and waits for, cycle by cycle, for ui.perfetto.dev (sim/report/perfetto.py)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sim.report.exporter import Export, Exporter
from sim.report.perfetto import PerfettoWriter
from sim.runs.runs import Tracer


class TraceExporter(Exporter):
    name = "trace"
    summary = "trace.json, the states of all units over time, for ui.perfetto.dev"
    files = ("trace.json",)

    def recorder(self, folder: Path) -> AbstractContextManager[Tracer | None]:
        return PerfettoWriter(folder / "trace.json")

    def write(self, export: Export) -> None:
        """All is written during the simulation."""
