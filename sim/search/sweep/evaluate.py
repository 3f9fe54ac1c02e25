"""One point simulated, in a worker that remembers the pieces of work of earlier points.

Points that differ only in what no unit can tell apart, such as costs or the precision of another layer, share the
simulation of their pieces (`timing_key`). The memory is bounded, so a worker does not grow with the sweep.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache

from sim.arch.schema import Arch, Schedule
from sim.assembly import Options, Run
from sim.cost.technology import technology
from sim.errors import InputError
from sim.machine import Machine
from sim.search.sweep.results import Totals, totals_of
from sim.simulate import Key, _run_piece, plain, timing_key
from sim.summary import summarise
from sim.workload.gemm import Gemm, Item, Workload

PIECES_REMEMBERED = 2048
OPTIONS = Options()


@dataclass(frozen=True)
class Task:
    """A point to simulate."""

    key: str
    arch: Arch
    workload: Workload


@dataclass(frozen=True)
class Outcome:
    """A point done: its totals, or why there are none; and the seconds of a core it took."""

    key: str
    totals: Totals | None
    failure: str | None
    seconds: float


def compute(task: Task) -> Outcome:
    """Simulate a point; whatever goes wrong is its outcome and stops no other point."""
    begin = time.process_time()
    totals, failure = None, None
    try:
        totals = totals_of(_result(task.arch, task.workload))
    except InputError as error:
        failure = InputError(error.problem, field=error.field, nearest=error.nearest, facts=error.facts).render()
    except Exception as error:  # a defect of the simulator is a finding about this point
        failure = f"defect: {type(error).__name__}: {error}"
    return Outcome(task.key, totals, failure, time.process_time() - begin)


@dataclass(frozen=True)
class _Piece:
    key: Key
    machine: Machine = field(compare=False)
    item: Item = field(compare=False)


def _result(arch: Arch, workload: Workload) -> Totals:
    machine = Machine(arch)
    technology(arch)
    pieces = {}
    for phase in workload.phases:
        for item in phase.items:
            piece = plain(machine, item)
            pieces[item] = _Piece(timing_key(machine, piece), machine, piece)
            if isinstance(piece, Gemm) and isinstance(arch.schedule, Schedule):
                machine.plan(piece, arch.schedule)  # what does not fit is refused before time is spent

    def find(item: Item) -> tuple[Item, Run]:
        return pieces[item].item, _run(pieces[item])

    return summarise(machine, workload, find, OPTIONS)


@lru_cache(maxsize=PIECES_REMEMBERED)
def _run(piece: _Piece) -> Run:
    return _run_piece(piece.machine.arch, piece.item, OPTIONS)
