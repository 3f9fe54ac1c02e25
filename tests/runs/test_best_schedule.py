"""The best schedule: never worse than the published one, and nothing better found by trying everything."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Schedule
from sim.errors import InputError
from sim.laws.expectation import GemmExpectation
from sim.machine.execution import run_piece
from sim.machine.machine import Machine
from sim.mapping.piece import Piece
from sim.runs.best_schedule import best_schedule
from sim.simulation import simulate
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload


def small_case(seed: int) -> tuple[Machine, Gemm]:
    """A 4 x 4 machine with little memory, starved or not, and a GeMM that may or may not fit it."""
    rng = random.Random(seed)
    arch = load_arch(
        "anda-hpca25",
        [
            *("mxu.rows=4", "mxu.columns=4", "mxu.dot_length=16", "bpc.group_size=16", "dram.burst_bytes=16"),
            f"buffers.activation.bytes={rng.choice([256, 512, 1024, 2048])}",
            "buffers.activation.exponent_bytes=256",
            f"buffers.weight.bytes={rng.choice([512, 1024, 2048])}",
            f"dram.bandwidth_gigabytes_per_second={rng.choice([1, 3, 20])}",
            "schedule=best",
        ],
    )
    k = rng.randint(1, 6) * 16 - rng.choice([0, 0, 5])
    return Machine(arch), Gemm(
        "small", "other", rng.randint(1, 24), k, rng.randint(1, 64), mantissa_bits=rng.randint(1, 9)
    )


def searched(machine: Machine, gemm: Gemm, objective: str) -> Piece:
    """The piece of a GeMM whose schedule is searched."""
    return Machine(machine.arch.model_copy(update={"schedule": objective})).piece(gemm)


def every_schedule(machine: Machine, gemm: Gemm) -> Iterator[Schedule]:
    piece = machine.piece(gemm)
    rows, run, group = machine.arch.mxu.rows, machine.arch.run_width, machine.arch.mxu.dot_length
    for order in ("tokens_outer", "outputs_outer"):
        for tokens in range(rows, gemm.m + rows, rows):
            for outputs in range(run, gemm.n + run, run):
                for k in range(group, gemm.k + group, group):
                    schedule = Schedule(token_block=tokens, output_block=outputs, k_block=k, order=order)  # type: ignore[arg-type]
                    try:
                        piece.scheduled(schedule).plan()
                    except InputError:
                        continue
                    yield schedule


@pytest.mark.parametrize("seed", range(10))
def test_exhaustive_search_finds_nothing_better(seed: int) -> None:
    machine, gemm = small_case(seed)
    schedules = list(every_schedule(machine, gemm))
    if not schedules:
        with pytest.raises(InputError, match="too small for one tile"):
            best_schedule(machine.piece(gemm))
        return

    def dram_bytes(schedule: Schedule) -> int:
        return GemmExpectation(machine.piece(gemm).scheduled(schedule)).traffic.bytes

    def cycles(schedule: Schedule) -> int:
        return run_piece(machine.piece(gemm).scheduled(schedule)).cycles

    assert dram_bytes(best_schedule(searched(machine, gemm, "best-dram-bytes"))) == min(map(dram_bytes, schedules))
    assert cycles(best_schedule(searched(machine, gemm, "best-cycles"))) == min(map(cycles, schedules))


def test_llama_13b_moves_at_most_a_third_of_the_bytes_in_no_more_cycles() -> None:
    work = load_workload("llama-13b", tokens=2048, precision="wikitext2-1%")
    given = simulate(load_arch("anda-hpca25"), work).totals
    best = simulate(load_arch("anda-hpca25", ["schedule=best"]), work).totals
    assert best.cycles <= given.cycles
    assert 3 * best.dram_bytes <= given.dram_bytes


@pytest.mark.parametrize(
    ("arch", "objective", "quantity"),
    [
        ("anda-edge", "best", "dram_bytes"),
        ("anda-edge", "best-cycles", "cycles"),
        ("fp-fp", "best-energy", "energy_picojoules"),
    ],
)
def test_never_worse_than_the_given_schedule_on_its_objective(arch: str, objective: str, quantity: str) -> None:
    work = load_workload("opt-125m", tokens=64, precision="6")
    given = simulate(load_arch(arch), work).totals
    best = simulate(load_arch(arch, [f"schedule={objective}"]), work).totals
    assert getattr(best, quantity) <= getattr(given, quantity)
    if objective == "best":
        assert best.cycles <= given.cycles


def test_a_gemm_that_no_schedule_fits_names_the_buffer_and_both_sizes() -> None:
    machine = Machine(load_arch("anda-hpca25", ["schedule=best", "buffers.weight.bytes=16384", "mxu.columns=1024"]))
    with pytest.raises(InputError) as refused:
        best_schedule(machine.piece(Gemm("wide", "other", 16, 4096, 4096, mantissa_bits=6)))
    message = refused.value.render()
    assert "buffers.weight.bytes" in message
    # One tile of 1,024 columns over one group of 64: INT4 values, and a scale and zero point each.
    assert f"{(1024 * (64 * 4 + 20)) // 8} bytes" in message
    assert "16384 bytes" in message
