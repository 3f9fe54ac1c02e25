"""The weight GeMMs of a model as one program: layers follow one another through units that do not drain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sim.arch.schema import Arch, Schedule
from sim.engine.activity import State
from sim.errors import InputError
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.machine.streaming import run_program
from sim.mapping.program import Needs
from sim.workload.gemm import Gemm, Phase, Workload

CHAIN = ("qkv", "o", "up", "down")
"""Modules of a layer, each of which reads what the one before has stored."""


@dataclass(frozen=True)
class StreamedModule:
    """The GeMMs of one module in all layers: their cycles one by one, and as part of the program."""

    module: str
    alone_cycles: int
    streamed_cycles: int


@dataclass(frozen=True)
class StreamedPhase:
    """A phase as a program, beside the same GeMMs one by one, each from an empty pipeline to its last write."""

    machine: str
    phase: str
    layers: int
    alone_cycles: int
    streamed_cycles: int
    skipped_cycles: int
    modules: tuple[StreamedModule, ...]


def stream(
    arch: Arch, workload: Workload, options: SimulationOptions = SimulationOptions()
) -> tuple[StreamedPhase, ...]:
    """Run each phase of a workload as a program.

    A row tile of q, k and v waits for its rows of the layer before, o for all of q, k and v (attention, which takes no
    time here, stands between), gate and up for their rows of o, down for those of up.

    Raises
    ------
    InputError
        Where a phase is no chain of such GeMMs, or does not fit the machine.
    """
    if not isinstance(arch.schedule, Schedule):
        raise arch.refuse("schedule", f"found {arch.schedule}: a program needs blocks", allowed="blocks of its own")
    machine = Machine(arch)
    return tuple(_stream(machine, phase, options) for phase in workload.phases)


def _stream(machine: Machine, phase: Phase, options: SimulationOptions) -> StreamedPhase:
    layer, layers = chain_of(phase)
    run = run_program(machine.program(layer, layers), options)
    alone: Counter[str] = Counter()
    for gemm, _ in layer:
        alone[gemm.module] += layers * machine.run(gemm, options).cycles
    modules = tuple(StreamedModule(name, alone[name], _cycles(run.counters, name)) for name in CHAIN if name in alone)
    skipped = sum(skip.cycles for skip in run.skips)
    return StreamedPhase(machine.arch.name, phase.name, layers, alone.total(), run.cycles, skipped, modules)


def _cycles(counters: Mapping[str, int], module: str) -> int:
    return sum(counters[f"mxu.{module}.{state.name.lower()}_cycles"] for state in State)


def chain_of(phase: Phase) -> tuple[list[tuple[Gemm, Needs | None]], int]:
    """The GeMMs of a layer with what they wait for, and how many layers there are, all steps of decoding counted.

    Raises
    ------
    InputError
        Where the phase holds other work, experts, or layers that differ.
    """
    gemms = [item for item in phase.items if isinstance(item, Gemm) and item.module in CHAIN]
    if len(gemms) < len(phase.items):
        other = next(item.name for item in phase.items if item not in gemms)
        raise _refused(phase, f"{other} does not stream yet", "weight GeMMs: --scope fp-int")
    if not gemms:
        raise _refused(phase, "there is no GeMM in it", "weight GeMMs")
    names, layers = [gemm.name for gemm in gemms], min(gemm.count for gemm in gemms)
    if len(set(names)) < len(names) or any(gemm.count != layers for gemm in gemms):
        raise _refused(phase, "layers or steps differ", "one list of GeMMs for all of them")
    places = [CHAIN.index(gemm.module) for gemm in gemms]
    if places != sorted(places) or len({gemm.m for gemm in gemms}) > 1:
        raise _refused(phase, "a layer is no chain", f"{', '.join(CHAIN)} in this order, with equal rows")
    seen: Counter[str] = Counter()
    layer: list[tuple[Gemm, Needs | None]] = []
    for gemm in gemms:
        seen[gemm.module] += 1
        layer.append((gemm, Needs(seen[gemm.module], "all" if gemm.module == "o" else "rows")))
    return layer, layers


def _refused(phase: Phase, found: str, allowed: str) -> InputError:
    return InputError(f"{phase.name} cannot stream: {found}", facts={"allowed": allowed})
