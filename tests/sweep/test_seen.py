"""Pieces that share a simulation: equal keys, equal runs, on random machines whose buffers only are changed."""

from __future__ import annotations

import random

import pytest

from sim.arch.schema import Arch, Schedule
from sim.machine.assembly import Run
from sim.machine.machine import Machine
from sim.simulation import plain
from sim.sweep.evaluate import piece_key
from tests.machines import Case, random_case

CASES, NEEDED = 60, 25


def enlarged(case: Case, seed: int) -> Arch:
    """The case's machine with larger buffers, in more banks."""
    values = case.arch.model_dump(mode="json")
    for buffer in values["buffers"].values():
        if isinstance(buffer, dict):
            buffer["bytes"] = 4 * (int(buffer["bytes"] * random.Random(seed).choice([1, 1.3, 2, 5])) // 4 + 1)
            buffer["banks"] = 4
    if values["buffers"]["activation"]["exponent_bytes"]:
        values["buffers"]["activation"]["exponent_bytes"] *= 2
    return Arch.model_validate(values, strict=True)


def counted(machine: Machine, case: Case) -> tuple[object, ...]:
    schedule = machine.arch.schedule
    assert isinstance(schedule, Schedule)
    item = plain(machine, case.gemm)
    run: Run = machine.run_gemm(item, schedule=schedule)  # type: ignore[arg-type]
    return run.cycles, run.states, run.counters, run.bounds


@pytest.mark.parametrize("first", range(0, CASES, 20))
def test_equal_keys_mean_equal_runs(first: int) -> None:
    shared = 0
    for seed in range(first, first + 20):
        case = random_case(seed)
        machines = Machine(case.arch), Machine(enlarged(case, seed))
        keys = [piece_key(machine, plain(machine, case.gemm)) for machine in machines]
        if keys[0] == keys[1]:
            shared += 1
            assert counted(machines[0], case) == counted(machines[1], case), seed
    assert shared >= NEEDED * 20 // CASES


def test_a_buffer_that_a_piece_can_fill_is_part_of_its_key() -> None:
    differing = 0
    for seed in range(CASES):
        case = random_case(seed)
        small, large = Machine(case.arch), Machine(enlarged(case, seed))
        if piece_key(small, plain(small, case.gemm)) != piece_key(large, plain(large, case.gemm)):
            differing += counted(small, case) != counted(large, case)
    assert differing > 0
