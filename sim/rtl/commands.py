"""`rtl check` and `rtl area`: the SystemVerilog against the simulator, and what it costs in gates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The units as SystemVerilog: equal to the simulator, and synthesised.")

Out = Annotated[Path | None, typer.Option(help="JSON file to write the results to.")]


@app.command()
def check(
    unit: Annotated[list[str] | None, typer.Option("--unit", help="Run only checks whose names contain this.")] = None,
    cases: Annotated[
        int | None, typer.Option(help="Random cases per check (default: as many as recorded).", min=1)
    ] = None,
    mutations: Annotated[bool, typer.Option("--mutations", help="Also put faults in and see them caught.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Processes; one a core unless told.", min=1)] = None,
    out: Out = None,
) -> None:
    """Simulate the RTL with Verilator on random stimulus and compare every cycle and bit."""
    from sim.rtl.report import run_checks

    if not run_checks(unit or [], cases, mutations, out, jobs):
        raise typer.Exit(1)


@app.command()
def area(
    trace: Annotated[
        Path | None, typer.Option(help="Trace with tensors, weights symmetric, to measure switching on real operands.")
    ] = None,
    node: Annotated[
        list[str] | None, typer.Option(help="Cells of a real library, asap7 or sky130, instead of counted gates.")
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(help="Megahertz to size cells for, instead of each machine's; with --node.", min=1),
    ] = None,
    out: Out = None,
) -> None:
    """Synthesise the PEs with Yosys: gates and what they switch, or with --node area and clock in a real library."""
    from sim.rtl.report import run_area, run_nodes

    if node or clock is not None:
        run_nodes(node or [], clock, trace, out)
    else:
        run_area(trace, out)
