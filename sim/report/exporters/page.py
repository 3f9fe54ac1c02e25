"""report.html: tables and figures of one machine or several (sim/report/html.py)."""

from __future__ import annotations

from datetime import UTC, datetime

from sim.report.exporter import Export, Exporter
from sim.report.html import page


class Page(Exporter):
    name = "page"
    summary = "report.html, one page with tables and figures"
    files = ("report.html",)

    def write(self, export: Export) -> None:
        text = page(export.results, datetime.now(UTC), export.baseline, export.sections)
        (export.folder / "report.html").write_text(text, encoding="utf-8")
