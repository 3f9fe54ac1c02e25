"""One point simulated, in a worker that remembers the pieces of work of earlier points.

Points share the simulation of a piece that no unit can tell apart (`timing_key`): they differ in costs, in the
precision of other layers, or in buffers that are larger than the piece can fill. A buffer never holds more than
the block in use and the next (sim/units/buffer.py), so what lies beyond is not seen by any unit; see `seen`. The memory
is bounded, so a worker does not grow with the sweep.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache

from sim.arch.schema import Arch, Schedule
from sim.cost.technology import technology
from sim.errors import InputError
from sim.machine.assembly import Options, Run
from sim.machine.machine import Machine
from sim.mapping.operands import Operand
from sim.mapping.plan import Extent, Plan
from sim.simulation import Key, _run_piece, plain, timing_key
from sim.summary import summarise
from sim.sweep.results import Totals, totals_of
from sim.workload.gemm import Gemm, Item, Workload

PIECES_REMEMBERED = 512
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
    arch: Arch = field(compare=False)
    item: Item = field(compare=False)


def _result(arch: Arch, workload: Workload) -> Totals:
    machine = Machine(arch)
    technology(arch)  # what has no cost, or does not fit, is refused before time is spent
    items = [item for phase in workload.phases for item in phase.items]
    pieces = {item: _Piece(piece_key(machine, plain(machine, item)), arch, plain(machine, item)) for item in items}

    def find(item: Item) -> tuple[Item, Run]:
        return pieces[item].item, _run(pieces[item])

    return summarise(machine, workload, find, OPTIONS)


@lru_cache(maxsize=PIECES_REMEMBERED)
def _run(piece: _Piece) -> Run:
    return _run_piece(piece.arch, piece.item, OPTIONS)


def piece_key(machine: Machine, item: Item) -> Key:
    """Equal for pieces that take the same time with the same counters.

    Raises
    ------
    InputError
        Where the piece does not fit the machine.
    """
    schedule = machine.arch.schedule
    if not isinstance(item, Gemm) or not isinstance(schedule, Schedule):
        return (timing_key(machine, item), machine.arch.cost)  # a schedule may be chosen by its cost
    plan = machine.plan(item, schedule)
    resident = (plan.activations_resident, plan.weights_resident)
    return (timing_key(Machine(seen(machine.arch, plan)), item), resident)


def seen(arch: Arch, plan: Plan) -> Arch:
    """The machine with its buffers cut down to what the plan can fill; the number of banks is a matter of cost."""
    activation, weight = arch.buffers.activation, arch.buffers.weight
    most_activations = _most(plan, plan.activations, plan.tokens, plan.activations_resident, activation.double_buffered)
    most_weights = _most(plan, plan.weights, plan.outputs, plan.weights_resident, weight.double_buffered)
    cut_activation = {
        "bytes": min(activation.bytes, most_activations),
        "exponent_bytes": min(activation.exponent_bytes, 1),
        "banks": 1,
    }
    cut_weight = {"bytes": min(weight.bytes, most_weights), "banks": 1}
    buffers = {
        "activation": activation.model_copy(update=cut_activation),
        "weight": weight.model_copy(update=cut_weight),
    }
    return arch.model_copy(update={"buffers": arch.buffers.model_copy(update=buffers)})


def _most(plan: Plan, operand: Operand, extent: Extent, resident: bool, double_buffered: bool) -> int:
    """Bytes of the largest block, or tile where tiles are streamed, once or twice."""
    tile = min(extent.tile, extent.size)
    tiles = extent.tiles(min(extent.block, extent.size)) if resident else 1
    chunks = sum(operand.data_bytes(tile, *plan.chunk(index)) for index in range(plan.chunks))
    return (2 if double_buffered else 1) * tiles * chunks
