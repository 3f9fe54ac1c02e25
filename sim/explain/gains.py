"""Each knob doubled, simulated again, and set beside the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.errors import InputError
from sim.explain.again import machine_of, work_of
from sim.explain.knobs import BATCH, Knob, knobs_of
from sim.laws.expectation import expect
from sim.machine.assembly import SimulationOptions
from sim.machine.capacity import check_capacity
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from sim.result import Result
from sim.result.summarise import summarise
from sim.runs.runs import Progress, Runs
from sim.simulation import items_of
from sim.workload.gemm import Workload

NEGLIGIBLE = 0.005
"""Share of the cycles, or of the energy; a smaller change is none."""


@dataclass(frozen=True)
class Gain:
    """A knob doubled.

    Parameters
    ----------
    changes
        The doubled keys and their values.
    speedup, energy, area
        Over the result; per sequence where the batch is doubled.
    refused
        Why there is no such machine; the figures are 1 then.
    """

    knob: Knob
    changes: Mapping[str, Any]
    speedup: float = 1.0
    energy: float = 1.0
    area: float = 1.0
    refused: str = ""

    @property
    def is_defect(self) -> bool:
        """Whether more of the resource makes the machine slower: no fault of it, but of how the schedule uses it."""
        return self.speedup < 1 - NEGLIGIBLE

    @property
    def helps(self) -> bool:
        """Whether it makes the machine faster, or no slower at less energy."""
        return self.speedup > 1 + NEGLIGIBLE or (not self.is_defect and self.energy < 1 - NEGLIGIBLE)


def gains(result: Result, jobs: int = 1, progress: Progress | None = None) -> list[Gain]:
    """Every knob of a result doubled, those first that gain most speed for their area.

    Raises
    ------
    InputError
        Where the result holds no model, or is another version's, which counted other cycles.
    """
    work = work_of(result)
    candidates: list[tuple[Gain, Machine, Workload, int]] = []
    refused = []
    machine = Machine(machine_of(result))
    for knob, changes in knobs_of(result):
        try:
            candidates.append((Gain(knob, changes), _made(machine_of(result, changes), work), work, 1))
        except InputError as error:
            refused.append(Gain(knob, changes, refused=_short(error)))
    batch = {"batch": 2 * result.workload["run"]["batch"]}
    try:
        larger = work_of(result, batch)
        candidates.append((Gain(BATCH, batch), _made(machine.arch, larger), larger, 2))
    except InputError as error:
        refused.append(Gain(BATCH, batch, refused=_short(error)))
    options = SimulationOptions(result.provenance.grain, result.provenance.fast_forward, result.provenance.verify)
    with Runs(options=options, jobs=jobs) as runs:
        pairs = [(machine, work), *((one, asked) for _, one, asked, _ in candidates)]
        runs.prepare((piece for one, asked in pairs for piece in _pieces(one, asked)), progress)
        again = summarise(machine, work, runs)
        if again.totals.cycles != result.totals.cycles:
            facts = {"found": f"{result.totals.cycles:,} cycles", "this version": f"{again.totals.cycles:,} cycles"}
            raise InputError("another version's: run it again", field="RESULT", facts=facts)
        found = [_beside(result, gain, summarise(one, asked, runs), more) for gain, one, asked, more in candidates]
    return [*sorted(found, key=lambda gain: (-round(gain.speedup / gain.area, 3), gain.energy)), *refused]


def _made(arch: Any, work: Workload) -> Machine:
    """A machine, refused where its costs are not known or the work does not fit it."""
    area_square_millimetres(arch)
    check_capacity(arch, work)
    machine = Machine(arch)
    for piece in _pieces(machine, work):
        if not isinstance(arch.schedule, str):
            expect(piece)
    return machine


def _pieces(machine: Machine, work: Workload) -> list[Any]:
    return [machine.piece(item) for item in machine.steps(items_of(work))]


def _beside(result: Result, gain: Gain, doubled: Result, more: int) -> Gain:
    """The figures of a gain; `more` is how often the doubled workload does the result's work."""
    before, after = result.totals, doubled.totals
    return Gain(
        gain.knob,
        gain.changes,
        speedup=more * before.cycles / after.cycles,
        energy=after.energy_picojoules / before.energy_picojoules / more,
        area=after.area_square_millimetres / before.area_square_millimetres,
    )


def _short(error: InputError) -> str:
    return f"{error.field}: {error.problem}" if error.field else error.problem
