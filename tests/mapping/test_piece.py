"""Pieces that share a simulation: equal keys, equal runs, on random machines whose buffers only are changed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.laws.expectation import expect
from sim.machine.execution import run_piece
from sim.machine.machine import Machine
from sim.workload.gemm import Gemm
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


def counted(case: Case, arch: Arch) -> tuple[object, ...]:
    """What a run of the whole machine counts, its buffers as they are."""
    machine = Machine(arch)
    piece = replace(machine.piece(case.gemm), hardware=arch)
    run = run_piece(piece)
    return run.cycles, run.states, run.counters, expect(piece).bounds


@pytest.mark.parametrize("first", range(0, CASES, 20))
def test_equal_keys_mean_equal_runs(first: int) -> None:
    shared = 0
    for seed in range(first, first + 20):
        case = random_case(seed)
        archs = case.arch, enlarged(case, seed)
        pieces = [Machine(arch).piece(case.gemm) for arch in archs]
        # The piece's own machine has its buffers cut down: that shows in nothing either.
        run = run_piece(pieces[0])
        assert (run.cycles, run.states, run.counters, expect(pieces[0]).bounds) == counted(case, archs[0]), seed
        if pieces[0].key == pieces[1].key:
            shared += 1
            assert counted(case, archs[0]) == counted(case, archs[1]), seed
    assert shared >= NEEDED * 20 // CASES


def test_a_buffer_that_a_piece_can_fill_is_part_of_its_key() -> None:
    differing = 0
    for seed in range(CASES):
        case = random_case(seed)
        archs = case.arch, enlarged(case, seed)
        small, large = (Machine(arch).piece(case.gemm) for arch in archs)
        if small.key != large.key:
            differing += counted(case, archs[0]) != counted(case, archs[1])
    assert differing > 0


@pytest.mark.parametrize(
    "override",
    ["mxu.output_registers=1", "dram.latency_nanoseconds=1", "clock.frequency_megahertz=300", "schedule.k_block=64"],
)
def test_what_a_unit_can_see_is_part_of_the_key_and_names_costs_and_sources_are_not(override: str) -> None:
    gemm = Gemm("one", "up", 64, 256, 256, mantissa_bits=5)
    piece = Machine(load_arch("anda-hpca25")).piece(gemm)
    hidden = ["name=other", "cost.dram.energy_picojoules_per_bit=1.0", "mxu.source=elsewhere"]
    assert Machine(load_arch("anda-hpca25", hidden)).piece(replace(gemm, name="two", count=9)).key == piece.key
    assert Machine(load_arch("anda-hpca25", [override])).piece(gemm).key != piece.key
    for change in ({"m": 65}, {"k": 255}, {"n": 257}, {"mantissa_bits": 6}, {"output_mantissa_bits": 4}):
        assert Machine(load_arch("anda-hpca25")).piece(replace(gemm, **change)).key != piece.key  # type: ignore[arg-type]
