"""A workload on one machine or several: what has to be simulated, each different piece once, and the results of it.

Pieces of work that no unit can tell apart share one simulation: equal layers, GeMMs of equal shape and precision, and
the same GeMM on machines that differ only in cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from sim.arch.schema import Arch, Schedule
from sim.best_schedule import best_schedule
from sim.cost.technology import technology
from sim.engine.activity import Recorder
from sim.machine.assembly import Options, Run
from sim.machine.machine import Machine
from sim.summary import summarise
from sim.workload.gemm import Gemm, Item, VectorWork, Workload, as_vector_work

Key = tuple[object, ...]
Result = dict[str, Any]
Progress = Callable[[int, int, str], None]
"""Called with pieces done, pieces in all, and the name of the last one."""


class Tracer(Recorder, Protocol):
    """A recorder that is told where in time each piece of work starts."""

    def begin(self, name: str, offset_cycles: int) -> None: ...


def simulate(
    arch: Arch,
    workload: Workload,
    *,
    options: Options = Options(),
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
    dict
        The result as written to result.json.

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
    options: Options = Options(),
    jobs: int = 1,
    tracer: Tracer | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Run one workload on several machines; see `simulate`."""
    machines = [Machine(arch) for arch in archs]
    for arch in archs:
        technology(arch)  # costs are refused before time is spent
    pieces: dict[Key, tuple[Arch, Item]] = {}
    for machine in machines:
        for item in _items(workload):
            piece = plain(machine, item)
            pieces.setdefault(timing_key(machine, piece), (machine.arch, piece))
            if isinstance(piece, Gemm) and isinstance(machine.arch.schedule, Schedule):
                machine.plan(piece, machine.arch.schedule)  # what does not fit is refused before time is spent
    runs = _run_pieces(pieces, options, jobs, tracer, progress)
    return [summarise(machine, workload, partial(_find, runs, machine), options) for machine in machines]


def _find(runs: dict[Key, Run], machine: Machine, item: Item) -> tuple[Item, Run]:
    piece = plain(machine, item)
    return piece, runs[timing_key(machine, piece)]


def _items(workload: Workload) -> Iterator[Item]:
    for phase in workload.phases:
        yield from phase.items


def plain(machine: Machine, item: Item) -> Item:
    """The item as this machine does it: one instance, without what the machine cannot tell apart."""
    if isinstance(item, VectorWork):
        return replace(item, name="", module="other", count=1)
    if not machine.runs_on_mxu(item):
        return plain(machine, as_vector_work(item))
    if not machine.pe.encoded:
        item = replace(item, mantissa_bits=None, output_mantissa_bits=None)
    elif item.mantissa_bits is None:
        raise machine.arch.refuse(
            "mxu.pe", f"{machine.pe.kind} PEs need a mantissa length for {item.name}; give one with --precision"
        )
    return replace(item, module="other", count=1)


def timing_key(machine: Machine, item: Item) -> Key:
    """Equal for pieces that take the same time with the same counters."""
    arch = machine.arch
    hidden: dict[str, Any] = {
        "name": True,
        "cost": True,
        "source": True,
        "mxu": {"pe", "lanes", "mantissa_bits", "source"},
    }
    if arch.schedule == "best-energy":
        del hidden["cost"]  # the schedule depends on it
    hardware = arch.model_dump_json(exclude=hidden)
    if isinstance(item, VectorWork):
        return (hardware, item)
    pe = machine.pe
    return (hardware, pe.encoded, pe.cycles(item.mantissa_bits), pe.word_bits, replace(item, name=""))


def _run_piece(arch: Arch, item: Item, options: Options, tracer: Tracer | None = None) -> Run:
    machine = Machine(arch)
    if isinstance(item, Gemm):
        blocks = arch.schedule if isinstance(arch.schedule, Schedule) else best_schedule(machine, item, arch.schedule)
        return machine.run_gemm(item, options, tracer, blocks)
    return machine.run_vector(item, options, tracer)


def _run_pieces(
    pieces: dict[Key, tuple[Arch, Item]],
    options: Options,
    jobs: int,
    tracer: Tracer | None,
    progress: Progress | None,
) -> dict[Key, Run]:
    runs: dict[Key, Run] = {}
    total = len(pieces)
    report = progress or (lambda done, total, name: None)
    if jobs == 1 or total == 1 or tracer is not None:
        offset = 0
        for key, (arch, item) in pieces.items():
            if tracer is not None:
                tracer.begin(f"{arch.name} {item.name or 'vector work'}", offset)
            runs[key] = _run_piece(arch, item, options, tracer)
            offset += runs[key].cycles
            report(len(runs), total, item.name)
        return runs
    with _pool(min(jobs, total)) as pool:
        # The largest first, so that no process is left with a long one at the end.
        order = sorted(pieces.items(), key=lambda entry: -_size(entry[1][1]))
        futures = {pool.submit(_run_piece, arch, item, options): (key, item) for key, (arch, item) in order}
        for future in as_completed(futures):
            key, item = futures[future]
            runs[key] = future.result()
            report(len(runs), total, item.name)
    return runs


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(max_workers=jobs)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _size(item: Item) -> int:
    return item.macs if isinstance(item, Gemm) else item.operations


def default_jobs() -> int:
    """As many processes as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
