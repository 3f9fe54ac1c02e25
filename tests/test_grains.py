"""Beat grain, tile grain and fast-forward count the same, on random machines and at full size."""

from __future__ import annotations

import pytest

from sim.arch.load import load_arch
from sim.engine.activity import State
from sim.errors import InputError
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.machine import Machine
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload
from tests.machines import banked_case, random_case

CASES, BATCH = 1100, 50
BEATS = 30_000
"""Cycles up to which the beat grain is simulated, one event a port beat."""


def differences(left: Run, right: Run) -> dict[str, tuple[int, int]]:
    """Every counter and ledger entry that two runs do not share."""
    entries = {"cycles": (left.cycles, right.cycles)}
    entries |= {name: (value, right.counters[name]) for name, value in left.counters.items()}
    for unit, states in left.states.items():
        entries |= {f"{unit}.{state.name}": (n, right.states[unit][state]) for state, n in states.items()}
    assert left.counters.keys() == right.counters.keys()
    assert left.states.keys() == right.states.keys()
    return {name: pair for name, pair in entries.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_the_grains_and_fast_forward_count_the_same_on_random_machines(first: int) -> None:
    compared = starved = 0
    for seed in range(first, first + BATCH):
        case = random_case(seed)
        try:
            machine = Machine(case.arch)
            tile = machine.run(case.gemm, SimulationOptions(fast_forward=False))
        except InputError:
            continue  # the random buffer does not hold a tile
        assert not differences(tile, machine.run(case.gemm)), f"fast-forward, seed {seed}"
        if tile.cycles <= BEATS:
            assert not differences(tile, machine.run(case.gemm, SimulationOptions("beat"))), f"beat, seed {seed}"
            compared += 1
            starved += tile.states["mxu"][State.WEIGHTS] + tile.states["mxu"][State.ACTIVATIONS] > tile.cycles // 2
    assert compared >= 0.9 * BATCH
    assert 0 < starved < compared  # some wait for memory most of the time, some do not


@pytest.mark.parametrize("arch", ["anda-hpca25"])
def test_fast_forward_changes_nothing_at_full_size(arch: str) -> None:
    machine = Machine(load_arch(arch))
    gemms = {(g.m, g.k, g.n, g.mantissa_bits, g.output_mantissa_bits): g for g in load_workload("llama-7b").gemms}
    for gemm in gemms.values():
        skipping = machine.run(gemm)
        assert skipping.skips
        assert not differences(machine.run(gemm, SimulationOptions(fast_forward=False)), skipping)
        assert not differences(machine.run(gemm, SimulationOptions(verify=True)), skipping)


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_banks_count_the_same_however_they_are_simulated(first: int) -> None:
    compared = 0
    for seed in range(first, first + 20):
        case = banked_case(seed)
        try:
            machine = Machine(case.arch)
            tile = machine.run(case.gemm, SimulationOptions(fast_forward=False))
        except InputError:
            continue
        skipping = machine.run(case.gemm)
        slip = skipping.counters.get("dram.slip_cycles")
        if slip is None:
            assert not differences(tile, skipping), f"fast-forward, seed {seed}"
        else:
            assert abs(skipping.cycles - tile.cycles) <= slip, f"fast-forward, seed {seed}"
        if tile.cycles <= BEATS:
            assert not differences(tile, machine.run(case.gemm, SimulationOptions("beat"))), f"beat, seed {seed}"
            compared += 1
    assert compared >= 14


HBM2 = (
    "dram={kind: banks, standard: HBM2, count: 1, latency_nanoseconds: 70, transaction_bytes: 8192, "
    "arbitration: round_robin, outstanding_loads: 4}"
)


def test_a_loop_that_leaves_the_bus_idle_is_skipped_exactly_with_banks() -> None:
    machine = Machine(load_arch("anda-hpca25", [HBM2]))
    gemm = Gemm("up", "up", m=512, k=4096, n=1024, mantissa_bits=6, output_mantissa_bits=6)
    skipping, plain = machine.run(gemm), machine.run(gemm, SimulationOptions(fast_forward=False))
    assert sum(skip.cycles for skip in skipping.skips) > plain.cycles / 2
    assert not differences(plain, skipping)


def test_a_loop_that_waits_for_memory_is_skipped_within_the_slip_that_is_told() -> None:
    wide = ["mxu.count=16", "buffers.weight.fill_port_bits=65536", "buffers.activation.fill_port_bits=65536"]
    machine = Machine(load_arch("anda-hpca25", [HBM2, *wide]))
    gemm = Gemm("up", "up", m=1024, k=4096, n=4096, mantissa_bits=4, output_mantissa_bits=6)
    skipping, plain = machine.run(gemm), machine.run(gemm, SimulationOptions(fast_forward=False))
    assert skipping.skips
    assert 0 < skipping.counters["dram.slip_cycles"] < plain.cycles / 10_000
    assert abs(skipping.cycles - plain.cycles) <= skipping.counters["dram.slip_cycles"]
    assert not differences(plain, machine.run(gemm, SimulationOptions(verify=True)))  # alike is not enough for it
