"""One point simulated, in a worker that remembers the pieces of work of earlier points.

Points share the run of a piece that no unit can tell apart: they differ in costs, in the precision of other layers, or
in buffers that are larger than the piece can fill. The memory is bounded, so a worker does not grow with the sweep.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

from sim.arch.schema import Arch
from sim.errors import InputError
from sim.machine.capacity import check_capacity
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from sim.result.summarise import summarise
from sim.runs.runs import Runs
from sim.sweep.results import PointTotals, totals_of
from sim.workload.gemm import Workload

PIECES_REMEMBERED = 512


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
    totals: PointTotals | None
    failure: str | None
    seconds: float


def compute(task: Task) -> Outcome:
    """Simulate a point; whatever goes wrong is its outcome and stops no other point."""
    begin = time.process_time()
    totals, failure = None, None
    try:
        machine = Machine(task.arch)
        area_square_millimetres(task.arch)  # what has no cost is refused before time is spent
        check_capacity(task.arch, task.workload)
        totals = totals_of(summarise(machine, task.workload, _runs()))
    except InputError as error:
        failure = InputError(error.problem, field=error.field, nearest=error.nearest, facts=error.facts).render()
    except Exception as error:  # a defect of the simulator is a finding about this point
        failure = f"defect: {type(error).__name__}: {error}"
    return Outcome(task.key, totals, failure, time.process_time() - begin)


@cache
def _runs() -> Runs:
    """The runs that this process remembers."""
    return Runs(remembered=PIECES_REMEMBERED)
