"""Programs: every way of simulating one counts the same, and nothing is read before it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.engine.activity import State
from sim.errors import InputError
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.machine import Machine
from sim.machine.streaming import run_program
from sim.mapping.program import LayerProgram, Needs, ProgramStep
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload
from tests.attentions import random_attention
from tests.causality import early_reads
from tests.machines import random_case
from tests.programs import ProgramCase, mixed_program, random_program, tiny_model, twins
from tests.test_grains import differences

PLAIN = SimulationOptions(fast_forward=False)
BEAT_CYCLES = 15_000
LONGEST = 60_000
"""Cycles beyond which a program is left to the soak."""


def cases(make: Callable[[int], ProgramCase], seeds: range) -> Iterator[tuple[int, ProgramCase, LayerProgram]]:
    """Those that their machines take."""
    for seed in seeds:
        case = make(seed)
        with suppress(InputError):
            yield seed, case, case.program()


@pytest.mark.parametrize(
    ("make", "seeds"),
    [(random_program, range(40)), (twins, range(50, 58)), (tiny_model, range(24)), (mixed_program, range(30))],
)
def test_the_grains_and_fast_forward_count_the_same(make: Callable[[int], ProgramCase], seeds: range) -> None:
    compared = skipping = beats = 0
    for seed, _, program in cases(make, seeds):
        if make in (tiny_model, mixed_program) and ProgramExpectation(program).bounds.lower_cycles > LONGEST:
            continue
        plain = run_program(program, PLAIN)
        skipped = run_program(program)
        assert not differences(plain, skipped), seed
        assert not differences(plain, run_program(program, SimulationOptions(verify=True))), seed
        if plain.cycles < BEAT_CYCLES:
            assert not differences(plain, run_program(program, SimulationOptions("beat"))), seed
            beats += 1
        compared += 1
        skipping += bool(skipped.skips)
    assert compared >= (0.9 if make in (random_program, twins) else 0.3) * len(seeds)
    assert skipping >= compared // 2
    assert beats or make is twins


def test_a_program_of_one_gemm_is_the_gemm() -> None:
    for seed in range(60):
        case = random_case(seed)
        machine = Machine(case.arch)
        with suppress(InputError):
            program = machine.program([([ProgramStep(case.gemm)], 1)])
            alone, streamed = machine.run(case.gemm, PLAIN), run_program(program, PLAIN)
            own = {name: count for name, count in streamed.counters.items() if name in alone.counters}
            assert (alone.cycles, alone.states, alone.counters) == (streamed.cycles, streamed.states, own), seed


def test_a_program_of_one_attention_is_the_attention() -> None:
    compared = 0
    for seed in range(30):
        case = random_attention(seed)
        with suppress(InputError):
            machine = Machine(case.arch)
            program = machine.program([([ProgramStep(case.attention)], 1)])
            if ProgramExpectation(program).bounds.lower_cycles > 5 * LONGEST:
                continue
            alone, streamed = machine.run(case.attention), run_program(program)
            own = {name: count for name, count in streamed.counters.items() if name in alone.counters}
            assert (alone.cycles, alone.states, alone.counters) == (streamed.cycles, streamed.states, own), seed
            compared += 1
    assert compared > 8


# ---------------------------------------------------------------------------------------------- what waits for what


@pytest.mark.parametrize(("make", "seeds"), [(random_program, range(100, 140)), (tiny_model, range(1, 12))])
def test_nothing_is_read_before_it_is_finished(
    make: Callable[[int], ProgramCase], seeds: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    dependent = 0
    for seed, _, program in cases(make, seeds):
        if ProgramExpectation(program).bounds.lower_cycles > 10 * LONGEST:
            continue
        loads, early = early_reads(program, monkeypatch)
        assert early == 0, seed
        dependent += loads
    assert dependent > 500


def test_a_row_tile_is_taken_as_soon_as_its_own_rows_are_there() -> None:
    """Rows that the first operation stores early are loaded while it computes the others."""
    machine = Machine(load_arch("anda-hpca25", ["schedule.token_block=16"]))
    up = Gemm("up", "up", 256, 256, 256, mantissa_bits=6, output_mantissa_bits=6)
    steps = [ProgramStep(up), ProgramStep(replace(up, name="down", module="down"), Needs(1))]
    by_rows = run_program(machine.program([(steps, 1)]))
    whole = run_program(machine.program([([steps[0], ProgramStep(steps[1].item, Needs(1, "all"))], 1)]))
    assert by_rows.cycles < whole.cycles
    assert by_rows.counters["mxu.macs"] == whole.counters["mxu.macs"]


# ------------------------------------------------------------------------------------------------------- what it gains


def decode_layer(module_needs: bool = True) -> list[ProgramStep]:
    """LLaMA-13B, one token: q, k and v read the layer before, o all of them (attention between), up o, down up."""
    [phase] = load_workload("llama-13b", phase="decode", batch=1).phases
    gemms = [item for item in phase.items if isinstance(item, Gemm) and item.module != "head"]
    seen: dict[str, int] = {}
    steps: list[ProgramStep] = []
    for gemm in gemms:
        back = 1 + seen.get(gemm.module, 0)
        seen[gemm.module] = back
        steps.append(ProgramStep(gemm, Needs(back, "all" if gemm.module == "o" else "rows") if module_needs else None))
    return steps


def test_a_layer_of_decoding_streams_where_its_pieces_start_and_end_empty() -> None:
    machine = Machine(load_arch("anda-datacenter"))
    steps = decode_layer()
    pieces = sum(machine.run(gemm).cycles for gemm, *_ in steps)
    layer, model = run_program(machine.program([(steps, 1)])), run_program(machine.program([(steps, 40)]))
    assert layer.cycles < 36_200 < 39_000 < pieces
    assert model.cycles < 40 * layer.cycles
    assert [skip.level for skip in model.skips] == ["layers"]
    # What each module takes adds up, and bytes are those of the pieces.
    spent = [
        sum(model.counters[f"mxu.{gemm.module}.{state.name.lower()}_cycles"] for state in State) for gemm, *_ in steps
    ]
    assert sum(dict(zip([gemm.module for gemm, *_ in steps], spent, strict=True)).values()) == model.cycles
    moved = sum(machine.run(gemm).counters["dram.weight_bytes"] for gemm, *_ in steps)
    assert model.counters["dram.weight_bytes"] == 40 * moved


def cycles_of(run: Run, module: str) -> int:
    return sum(run.counters[f"mxu.{module}.{state.name.lower()}_cycles"] for state in State)


def test_waiting_for_operands_is_time_of_the_operation_that_needs_them() -> None:
    machine = Machine(load_arch("anda-hpca25", ["dram.bandwidth_gigabytes_per_second=1"]))
    small, large = (Gemm("g", module, 16, k, 256, mantissa_bits=6) for module, k in (("up", 64), ("down", 4096)))
    run = run_program(machine.program([([ProgramStep(small), ProgramStep(large, Needs(1, "all"))], 1)]))
    alone = machine.run(small).cycles
    assert cycles_of(run, "up") <= alone < cycles_of(run, "down") / 20
    assert run.counters["mxu.down.weights_cycles"] > cycles_of(run, "down") / 2


def test_weights_run_ahead_of_what_their_operation_waits_for() -> None:
    machine = Machine(load_arch("anda-datacenter"))
    free = run_program(machine.program([(decode_layer(module_needs=False), 8)]))
    dependent = run_program(machine.program([(decode_layer(), 8)]))
    assert free.cycles <= dependent.cycles < 1.01 * free.cycles


# ------------------------------------------------------------------------------------------------------------ refusals


def gemm(rows: int = 16) -> Gemm:
    return Gemm("g", "up", rows, 64, 64, mantissa_bits=6)


@pytest.mark.parametrize(
    ("steps", "layers", "told"),
    [
        ([], 1, "needs an operation"),
        ([(gemm(), None)], 0, "and a layer"),
        ([(gemm(), Needs(0))], 1, "wait for itself"),
        ([(gemm(), None), (gemm(), Needs(-1))], 2, "wait for itself"),
        ([(gemm(16), None), (gemm(32), Needs(1, "rows"))], 1, "rows that its producer does not have"),
        ([(gemm(16), Needs(1, "rows")), (gemm(32), None)], 2, "rows that its producer does not have"),
    ],
)
def test_a_program_that_cannot_run_is_refused(steps: list[Any], layers: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Machine(load_arch("anda-hpca25")).program([([ProgramStep(*one) for one in steps], layers)])


def test_rows_that_come_from_before_the_program_are_not_waited_for() -> None:
    program = Machine(load_arch("anda-hpca25")).program([([ProgramStep(gemm(16), Needs(1)), ProgramStep(gemm(32))], 1)])
    assert run_program(program).counters["mxu.macs"] == 48 * 64 * 64
