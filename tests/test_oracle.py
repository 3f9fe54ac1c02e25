"""The machine counts what independent compiled automata count (tests/oracle), to the last cycle, byte and beat."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.assembly import Run
from sim.machine.machine import Machine
from sim.mapping.nest import LEVELS
from sim.workload.load import load_workload
from tests import oracle
from tests.machines import Case, long_case, random_case

CASES, BATCH = 500, 100
LONG_CASES = 24


def observed(run: Run) -> oracle.Prediction:
    """What a simulation counted, in the form of a prediction."""
    states = {unit: {state.name: cycles for state, cycles in ledger.items()} for unit, ledger in run.states.items()}
    return oracle.Prediction(run.cycles, states, dict(run.counters))


def predicted(case: Case) -> oracle.Prediction:
    return oracle.predict(case.arch, case.gemm)


def test_the_oracle_knows_the_description_of_a_machine_and_nothing_of_its_model() -> None:
    imported = {
        node.module
        for path in Path(oracle.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert {name for name in imported if name.startswith("sim")} == {"sim.arch.schema", "sim.workload.gemm"}


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_random_machines_count_what_the_automata_count(first: int) -> None:
    compared = 0
    for seed in range(first, first + BATCH):
        case = random_case(seed)
        try:
            run = Machine(case.arch).run(case.gemm)
        except InputError:
            continue  # the random buffer does not hold a tile
        assert observed(run) == predicted(case), f"seed {seed}"
        compared += 1
    assert compared >= 0.9 * BATCH


@pytest.mark.parametrize("level", range(len(LEVELS)), ids=LEVELS)
def test_loops_that_are_skipped_count_what_the_automata_count(level: int) -> None:
    skipping = 0
    for seed in range(LONG_CASES):
        case = long_case(seed, level)
        run = Machine(case.arch).run(case.gemm)
        assert observed(run) == predicted(case), f"seed {seed}"
        skipping += any(skip.level == LEVELS[level] for skip in run.skips)
    assert skipping >= LONG_CASES / 2


@pytest.mark.parametrize("arch", ["anda-hpca25", "fp-fp"])
def test_llama_7b_counts_what_the_automata_count(arch: str) -> None:
    machine = Machine(load_arch(arch))
    gemms = load_workload("llama-7b", phase="prefill", tokens=2048).gemms
    shapes = {(gemm.m, gemm.k, gemm.n, gemm.mantissa_bits, gemm.output_mantissa_bits): gemm for gemm in gemms}
    for gemm in shapes.values():
        run = machine.run(gemm)
        assert run.skips
        assert observed(run) == oracle.predict(machine.arch, gemm), gemm.name
