"""A model as programs: its passes, layer by layer, through units that do not drain, beside its pieces one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sim.arch.schema import Arch
from sim.engine.activity import State
from sim.errors import InputError
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.mapping.program import LayerProgram, Needs, ProgramStep
from sim.runs.runs import Runs
from sim.workload.gemm import LayerList, Phase, Workload

STALLS = (State.WEIGHTS, State.ACTIVATIONS, State.OUTPUT_SPACE, State.DEPENDENCY)


@dataclass(frozen=True)
class StreamedModule:
    """All work of one module: its cycles one by one, and as part of the program.

    Parameters
    ----------
    streamed_cycles
        In which the MXU works for it, or waits for what it needs; 0 of work of the vector unit, done beside.
    busy_cycles, stall_cycles
        Of these, and of stalls by cause.
    vector_cycles
        In which the vector unit works for it.
    """

    module: str
    alone_cycles: int
    streamed_cycles: int
    busy_cycles: int
    stall_cycles: dict[str, int]
    vector_cycles: int
    dram_bytes: int


@dataclass(frozen=True)
class StreamedPhase:
    """A phase as programs, beside the same work one by one, each piece from an empty pipeline to its last write.

    Parameters
    ----------
    passes
        Through the model.
    programs
        One after the other: each ends where passes begin to differ.
    """

    machine: str
    phase: str
    passes: int
    programs: int
    alone_cycles: int
    streamed_cycles: int
    skipped_cycles: int
    alone_picojoules: float
    streamed_picojoules: float
    dram_bytes: int
    modules: tuple[StreamedModule, ...]


def stream(
    arch: Arch, workload: Workload, options: SimulationOptions = SimulationOptions(), runs: Runs | None = None
) -> tuple[StreamedPhase, ...]:
    """Run each phase of a workload as programs.

    Parameters
    ----------
    runs
        Where pieces and programs that have been simulated are kept.

    Raises
    ------
    InputError
        Where nobody knows what follows what, or work does not fit the machine.
    """
    machine, kept = Machine(arch), runs or Runs(options=options)
    return tuple(_stream(machine, phase, kept) for phase in workload.phases)


def programs_of(machine: Machine, phase: Phase) -> Iterator[LayerProgram]:
    """The programs of a phase.

    Raises
    ------
    InputError
        Where it has none.
    """
    if phase.course is None:
        facts = {"found": "a list of work", "needed": "a model, whose layers say what they read"}
        raise InputError(f"{phase.name} cannot stream: nobody knows what follows what", facts=facts)
    for number, passage in enumerate(phase.course()):
        stacks = [(_steps(one), one.layers) for one in passage.lists]
        yield machine.program(stacks, passage.times, f"{machine.arch.name} {phase.name} {number + 1}")


def _steps(layer: LayerList) -> Iterator[ProgramStep]:
    for task in layer.tasks:
        yield ProgramStep(task.item, Needs(task.back, "rows" if task.by_rows else "all"), task.rows)


def _stream(machine: Machine, phase: Phase, runs: Runs) -> StreamedPhase:
    programs = list(programs_of(machine, phase))
    runs.prepare(programs)
    alone: Counter[str] = Counter()
    spent: Counter[tuple[str, State]] = Counter()
    vector: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    cycles = skipped = 0
    energy = alone_energy = 0.0
    for item in phase.items:
        run = runs[machine.piece(item)]
        alone[item.module] += item.count * run.cycles
        alone_energy += item.count * sum(machine.costs.energy_picojoules(run.counters, run.cycles).values())
    for program in programs:
        run, expected = runs[program], ProgramExpectation(program)
        cycles += run.cycles
        skipped += sum(skip.cycles for skip in run.skips)
        energy += sum(machine.costs.energy_picojoules(run.counters, run.cycles).values())
        vector.update(expected.vector_busy)
        moved.update(expected.moved_bytes)
        for label in expected.busy_cycles:
            spent.update({(label, state): run.counters[f"mxu.{label}.{state.name.lower()}_cycles"] for state in State})
    modules = tuple(
        StreamedModule(
            name,
            alone[name],
            sum(spent[name, state] for state in State),
            spent[name, State.BUSY],
            {state.name.lower(): spent[name, state] for state in STALLS},
            vector[name],
            moved[name],
        )
        for name in alone
    )
    return StreamedPhase(
        machine=machine.arch.name,
        phase=phase.name,
        passes=sum(program.rounds for program in programs),
        programs=len(programs),
        alone_cycles=alone.total(),
        streamed_cycles=cycles,
        skipped_cycles=skipped,
        alone_picojoules=alone_energy,
        streamed_picojoules=energy,
        dram_bytes=moved.total(),
        modules=modules,
    )
