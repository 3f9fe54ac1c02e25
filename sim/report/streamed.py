"""A workload as programs (sim/streaming.py) beside its pieces one by one: on the page, in the terminal, as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sim.arch.schema import Arch
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.report.markup import Html, table, tag
from sim.report.sections import PageSection
from sim.result import Result
from sim.streaming import StreamedPhase, programs_of, stream
from sim.workload.gemm import Workload

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("machine", "phase", "one by one", "streamed", "change", "speed of the first", "energy of the first")
SLOWER = (
    "Slower than its pieces: loads that run ahead hold up what is written or needed sooner. Try "
    "--set dram.arbitration=round_robin or fewer dram.outstanding_loads."
)


class StreamedSection(PageSection):
    """Of some machines, the first the baseline.

    Raises
    ------
    InputError
        Where the workload cannot stream, before time is spent on simulation.
    """

    name: ClassVar[str] = "streamed"
    title: ClassVar[str] = "As programs"
    files: ClassVar[tuple[str, ...]] = ("streamed.json",)

    def __init__(self, archs: Sequence[Arch], work: Workload, options: SimulationOptions) -> None:
        super().__init__()
        self._archs, self._work, self._options = archs, work, options
        for arch in archs:
            for phase in work.phases:
                for _ in programs_of(Machine(arch), phase):
                    pass
        self._phases: list[tuple[StreamedPhase, ...]] = []

    def sections(self, results: Sequence[Result]) -> Sequence[Html]:
        self._phases = [stream(arch, self._work, self._options) for arch in self._archs]
        text = "Layers follow one another through units that do not drain, vector work beside the MXU."
        return [tag("h2", self.title), tag("p", text), table(COLUMNS, self._rows(), words=(0, 1))]

    def _rows(self) -> list[list[str]]:
        rows = []
        for phases in self._phases:
            for one, first in zip(phases, self._phases[0], strict=True):
                speed = first.streamed_cycles / one.streamed_cycles
                energy = first.streamed_picojoules / one.streamed_picojoules
                cycles = (f"{one.alone_cycles:,}", f"{one.streamed_cycles:,}")
                rows.append([one.machine, one.phase, *cycles, change(one), f"{speed:.2f}", f"{energy:.2f}"])
        return rows

    def show(self, console: Console) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        shown = Table(title=self.title, box=SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate((*COLUMNS[:5], "speed", "energy")):
            shown.add_column(name, justify="left" if index < 2 else "right")
        for row in self._rows():
            shown.add_row(*row)
        console.print(shown)
        if any(one.streamed_cycles > one.alone_cycles for phases in self._phases for one in phases):
            console.print(SLOWER)

    def data(self) -> object:
        return [asdict(one) for phases in self._phases for one in phases]

    def write(self, folder: Path) -> None:
        (folder / self.files[0]).write_text(json.dumps(self.data(), indent=1), encoding="utf-8")


def change(one: StreamedPhase) -> str:
    """Of the cycles, by streaming."""
    return f"{100 * (one.streamed_cycles / one.alone_cycles - 1):+.2f} %"
