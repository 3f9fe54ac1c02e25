"""`stream`: the layers of a model one after another through units that do not drain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from sim.commands import options as shared

if TYPE_CHECKING:
    from sim.streaming import StreamedModule, StreamedPhase


@shared.grouped
def stream(
    arch: shared.Arch,
    workload: shared.Work,
    asked: shared.Asked,
    set_: shared.Set = None,
    grain: shared.Grain = "tile",
    json_: shared.Json = False,
) -> None:
    """Simulate a model as programs, layers in a row through units that do not drain, beside its pieces one by one."""
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
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from sim.report.streamed import SLOWER

    console = Console()
    for phase in phases:
        passes = "1 pass" if phase.passes == 1 else f"{phase.passes:,} passes"
        console.print(f"{phase.machine}, {name}, {phase.phase}: {passes} through the model")
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("module")
        for column in ("one by one", "streamed", "change", "waits", "vector unit"):
            table.add_column(column, justify="right")
        for one in phase.modules:
            table.add_row(one.module, *_row(one))
        table.add_section()
        total = phase.alone_cycles, phase.streamed_cycles
        waits, vector = (sum(each) for each in zip(*map(_beside, phase.modules), strict=True))
        table.add_row("cycles", f"{total[0]:,}", f"{total[1]:,}", _change(*total), f"{waits:,}", f"{vector:,}")
        console.print(table)
        if phase.streamed_cycles > phase.alone_cycles:
            console.print(SLOWER)


def _row(one: StreamedModule) -> tuple[str, ...]:
    waits, vector = _beside(one)
    if not one.streamed_cycles:
        return f"{one.alone_cycles:,}", "beside", "", "", f"{vector:,}"
    alone, streamed = one.alone_cycles, one.streamed_cycles
    return f"{alone:,}", f"{streamed:,}", _change(alone, streamed), f"{waits:,}", f"{vector:,}"


def _beside(one: StreamedModule) -> tuple[int, int]:
    """Cycles that the MXU waits, and that the vector unit works, for a module."""
    return sum(one.stall_cycles.values()), one.vector_cycles


def _change(before: int, after: int) -> str:
    return f"{100 * (after / before - 1):+.2f} %"
