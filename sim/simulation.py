"""A workload on one machine or several: `simulate` for the library, `simulate_all` for a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sim.arch.schema import Arch
from sim.machine.assembly import SimulationOptions
from sim.machine.capacity import check_capacity
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from sim.result import Result
from sim.result.summarise import summarise
from sim.runs.runs import Progress, Runs, Tracer
from sim.workload.gemm import Item, Workload


def simulate(
    arch: Arch,
    workload: Workload,
    *,
    options: SimulationOptions = SimulationOptions(),
    jobs: int = 1,
    tracer: Tracer | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run a workload on a machine.

    Parameters
    ----------
    options
        Grain and fast-forward; none of it changes a counter.
    jobs
        Processes to share the pieces among.
    tracer
        Takes the spans of every unit, of each different piece once, one after the other.

    Returns
    -------
    Result
        As `sim.result` describes it.

    Raises
    ------
    InputError
        Where the workload does not fit the machine.
    """
    return simulate_all([arch], workload, options=options, jobs=jobs, tracer=tracer, progress=progress)[0]


def simulate_all(
    archs: Sequence[Arch],
    workload: Workload,
    *,
    options: SimulationOptions = SimulationOptions(),
    jobs: int = 1,
    tracer: Tracer | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Run one workload on several machines; see `simulate`."""
    machines = [Machine(arch) for arch in archs]
    for arch in archs:
        area_square_millimetres(arch)  # costs are refused before time is spent
        check_capacity(arch, workload)
    pieces = [machine.piece(item) for machine in machines for item in machine.steps(items_of(workload))]
    with Runs(options=options, jobs=jobs, tracer=tracer) as runs:
        runs.prepare(pieces, progress)
        return [summarise(machine, workload, runs) for machine in machines]


def items_of(workload: Workload) -> Iterator[Item]:
    """All work of a workload, phase by phase."""
    for phase in workload.phases:
        yield from phase.items
