"""The reproduction in a terminal: how many numbers came out, and those that did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.reproduce.cells import Verdict
from sim.reproduce.page import told
from sim.reproduce.pictures import shown
from sim.reproduce.reproduction import Reproduction

if TYPE_CHECKING:
    from rich.console import Console


def print_reproduction(reproduction: Reproduction, console: Console) -> None:
    """A line a section, then every number that is outside its tolerance and why."""
    from rich.table import Table

    overview = Table(box=None, padding=(0, 2), header_style="bold")
    overview.add_column("section")
    for verdict in Verdict:
        overview.add_column(verdict.value, justify="right")
    for section in reproduction.sections:
        cells = [cell for table in section.tables for cell in table.cells]
        counts = (sum(cell.verdict is verdict for cell in cells) for verdict in Verdict)
        overview.add_row(section.name, *(str(count or "") for count in counts))
    console.print(overview)
    console.print(f"{told(reproduction.score)}.", highlight=False, soft_wrap=True)
    for section in reproduction.sections:
        for table in section.tables:
            for cell in table.cells:
                if cell.paper is not None and cell.verdict in (Verdict.OUTSIDE, Verdict.EXEMPT):
                    numbers = f"{shown(table, cell.simulated)}, paper {shown(table, cell.paper)}"
                    line = f"{section.name}, {cell.row}, {cell.column}: {numbers} ({cell.verdict.value}): {cell.reason}"
                    console.print(line, markup=False, highlight=False)
