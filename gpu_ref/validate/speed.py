"""How long a whole GeMM takes on the machine and on a GPU, each number with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from gpu_ref.forecast.model import forecast
from gpu_ref.forecast.silicon import silicon
from gpu_ref.program import GemmShape
from gpu_ref.reference.estimate import OutsideTableError
from gpu_ref.reference.gemm import gemm_estimate
from gpu_ref.validate.parts import GemmPart
from gpu_ref.validate.witnesses import KernelRunner, kernel_of
from sim.arch.schema import Arch
from sim.errors import InputError
from sim.simulation import simulate
from sim.workload.gemm import Phase, Workload

REFERENCE_CARD = "H100"
"""Whose times stand where this machine has no card."""


@dataclass(frozen=True)
class Time:
    """Seconds of one GeMM and their provenance."""

    seconds: float
    provenance: str


@dataclass(frozen=True)
class Speed:
    """Of one GeMM.

    Attributes
    ----------
    cycles
        Of the machine, DRAM and all.
    gpu
        Our kernel, measured or forecast, and others' W4A16 where the measured tables have it.
    """

    cycles: int
    machine_seconds: float
    gpu: tuple[Time, ...]


def speed(part: GemmPart, arch: Arch, runner: KernelRunner) -> Speed:
    """Simulate the whole GeMM, and find out what a GPU takes for it."""
    workload = Workload(part.record.name, (Phase(part.record.phase, (part.gemm,)),))
    result = simulate(arch, workload)
    return Speed(result.totals.cycles, result.totals.seconds, tuple(_gpu(part, runner)))


def _gpu(part: GemmPart, runner: KernelRunner) -> list[Time]:
    shape = GemmShape(part.gemm.m, part.gemm.n, part.gemm.k)
    found = []
    try:
        if runner.device is not None:
            kernel = kernel_of(part, runner.card)
            prepared = runner.device.prepare(kernel.timed(shape))
            found.append(Time(prepared.sample(), f"{kernel.label} measured on {runner.card.name}"))
            prepared.release()
        else:
            card = silicon().cards[REFERENCE_CARD]
            kernel = kernel_of(part, card.card(REFERENCE_CARD))
            seconds = forecast(kernel, shape, card).seconds
            found.append(Time(seconds, f"{kernel.label} on {REFERENCE_CARD}, forecast from machine code"))
    except InputError:
        pass  # no kernel takes the shape, or no compiler is there to make a forecast with
    try:
        others = gemm_estimate(REFERENCE_CARD, "W4A16", *(part.gemm.m, part.gemm.n, part.gemm.k))
        found.append(Time(others.seconds, f"W4A16 on {REFERENCE_CARD}, measured by others, error {others.bar}"))
    except OutsideTableError:
        pass
    return found
