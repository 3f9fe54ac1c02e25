"""`stream`: the layers of a model one after another through units that do not drain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sim.commands import options as shared

if TYPE_CHECKING:
    from sim.streaming import StreamedPhase


@shared.grouped
def stream(
    arch: shared.Arch,
    workload: shared.Work,
    asked: shared.Asked,
    set_: shared.Set = None,
    grain: shared.Grain = "tile",
    json_: shared.Json = False,
) -> None:
    """Simulate the weight GeMMs of a model as one program, beside the same GeMMs one by one."""
    from sim.arch.load import load_arch
    from sim.commands.simulation import checked_grain
    from sim.machine.assembly import SimulationOptions
    from sim.streaming import stream as run
    from sim.workload.load import load_workload

    work = load_workload(workload, **{**vars(asked), "overrides": asked.overrides or ()})
    phases = run(load_arch(arch, set_ or ()), work, SimulationOptions(checked_grain(grain)))
    if json_:
        print(json.dumps([asdict(phase) for phase in phases], indent=2))
    else:
        _show(work.name, phases)


def _show(name: str, phases: Sequence[StreamedPhase]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for phase in phases:
        console.print(f"{phase.machine}, {name}, {phase.phase}: {phase.layers} layers in a row")
        table = Table()
        table.add_column("module")
        for column in ("one by one", "streamed", "change"):
            table.add_column(column, justify="right")
        for one in phase.modules:
            alone, streamed = one.alone_cycles, one.streamed_cycles
            table.add_row(one.module, f"{alone:,}", f"{streamed:,}", _change(alone, streamed))
        table.add_section()
        total = phase.alone_cycles, phase.streamed_cycles
        table.add_row("cycles", f"{total[0]:,}", f"{total[1]:,}", _change(*total))
        console.print(table)
    console.print("Weight GeMMs alone: attention and vector work take no time here.")


def _change(before: int, after: int) -> str:
    return f"{100 * (after / before - 1):+.2f} %"
