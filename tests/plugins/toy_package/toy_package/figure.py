"""The energy of each machine as bars."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from sim.report.figures.frame import Figure, axis, layout
from sim.report.sections import PageFigure
from sim.result import Result


class JoulesByMachine(PageFigure):
    name = "toy-joules"
    title = "Joules, a toy"

    def draw(self, results: Sequence[Result]) -> list[tuple[str, Figure]]:
        joules = [result.totals.energy_picojoules * 1e-12 for result in results]
        bars = {"type": "bar", "x": [result.machine_name for result in results], "y": joules}
        return [("Toy energy of each machine.", {"data": [bars], "layout": layout(240, yaxis=axis("energy, joules"))})]

    def show(self, console: Console) -> None:
        console.print("a toy figure was drawn")
