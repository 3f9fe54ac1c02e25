"""Simulation speed by size and grain, and the schedule search, by pytest-benchmark. See benchmarks/__init__.py.

Square GeMMs on anda-hpca25 at 7 mantissa bits. "Even" sizes are whole tiles; "ragged" ones end in part of a tile in all
three directions, so that every loop has a last iteration of its own. Events are counted in a run that is not timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sim.arch.load import load_arch
from sim.engine.environment import Environment
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.runs.best_schedule import best_schedule
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload

RAGGED = 27
GRAINS = {
    "beat": SimulationOptions("beat"),
    "tile": SimulationOptions("tile", fast_forward=False),
    "fast-forward": SimulationOptions("tile"),
}
LARGEST = {"beat": 512, "tile": 4096, "fast-forward": 32768}
SIZES = [
    (grain, size, size + more)
    for grain, largest in LARGEST.items()
    for size in (2**power for power in range(6, 16))
    if size <= largest
    for more in (0, RAGGED)
]
LAYER = {gemm.name: gemm for gemm in load_workload("llama-7b").gemms}


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine(load_arch("anda-hpca25", ()))


@contextmanager
def counted_events() -> Iterator[list[int]]:
    """Counts the events that SimPy processes inside the block."""
    count, step = [0], Environment.step

    def counting(self: Environment) -> None:
        count[0] += 1
        step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "step", counting)
        yield count


@pytest.mark.parametrize(("grain", "even", "size"), SIZES, ids=[f"{grain}-{size}" for grain, _, size in SIZES])
def test_square_gemm(benchmark: BenchmarkFixture, machine: Machine, grain: str, even: int, size: int) -> None:
    gemm = Gemm("square", "other", size, size, size, mantissa_bits=7, output_mantissa_bits=7)
    with counted_events() as events:
        run = machine.run(gemm, GRAINS[grain])
    benchmark.extra_info |= {"grain": grain, "size": size, "ragged": size != even, "macs": gemm.macs}
    benchmark.extra_info |= {"cycles": run.cycles, "events": events[0]}
    again = benchmark.pedantic(  # type: ignore[no-untyped-call]
        machine.run, args=(gemm, GRAINS[grain]), rounds=5 if events[0] < 100_000 else 2
    )
    assert again.cycles == run.cycles


@pytest.mark.parametrize("name", ["attention.q", "attention.o", "mlp.gate", "mlp.down"])
def test_best_schedule(benchmark: BenchmarkFixture, name: str) -> None:
    gemm = LAYER[name]
    piece = Machine(load_arch("anda-hpca25", ["schedule=best"])).piece(gemm)
    benchmark.extra_info |= {"search": name, "shape": [gemm.m, gemm.k, gemm.n], "macs": gemm.macs}
    found = benchmark.pedantic(  # type: ignore[no-untyped-call]
        best_schedule, args=(piece,), rounds=1
    )
    benchmark.extra_info |= {"schedule": found.model_dump(exclude={"source"})}
