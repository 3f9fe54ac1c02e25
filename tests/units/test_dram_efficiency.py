"""A flat channel that does not reach its pins' rate: exact times by the mix, all grains alike, bounds, refusals."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.mapping.nest import LEVELS
from sim.units.dram import Port, model_of
from sim.units.dram.channel import ChannelConfig, FlatChannel
from sim.units.dram.efficiency import ChannelEfficiency, EfficiencyKeys
from sim.workload.gemm import Gemm
from tests.machines import Case, long_case, random_case
from tests.units.rig import Rig
from tests.units.test_dram import Stimulus, make, serve

TABLE = EfficiencyKeys(reads=0.8, halves=0.5, writes=0.64)
MIXED = "dram.efficiency={reads: 0.9, halves: 0.7, writes: 0.85}"
GEMM = Gemm("o", "o", m=64, k=1024, n=512, mantissa_bits=6, output_mantissa_bits=None)


def test_the_table_is_linear_between_its_three_rows() -> None:
    shares = ChannelEfficiency(TABLE).of_reads
    assert [shares[0], shares[8], shares[16]] == [Fraction(16, 25), Fraction(1, 2), Fraction(4, 5)]
    # a quarter of the way from half reads to nothing but reads
    assert shares[10] == Fraction(1, 2) + (Fraction(4, 5) - Fraction(1, 2)) / 4
    assert shares[2] == Fraction(16, 25) - (Fraction(16, 25) - Fraction(1, 2)) / 4


def test_reads_alone_take_the_time_of_more_bytes(rig: Rig) -> None:
    dram = make(rig, 64, efficiency=TABLE)
    # 256 B at 64 B a cycle take 4 cycles, at 0.8 of it 5
    replies = serve(rig, dram, [Stimulus(0, Port.WEIGHTS, 256)] * 6)
    assert [reply.cycle for reply in replies] == [5, 10, 15, 20, 25, 30]
    assert dram.counters()["dram.occupied_bytes"] == 6 * 320


def test_every_write_moves_the_share(rig: Rig) -> None:
    dram = make(rig, 1, efficiency=TABLE)
    replies = serve(rig, dram, [Stimulus(0, Port.OUTPUTS, 256)] * 20)
    shares = ChannelEfficiency(TABLE).of_reads
    time, expected = 0, []
    for write in range(1, 21):
        time += ceil(256 / shares[max(0, 16 - write)])
        expected.append(time)
    assert [reply.cycle for reply in replies] == expected


LONG = [long_case(seed, seed % len(LEVELS)) for seed in range(24)]


@pytest.mark.parametrize("case", [*map(random_case, range(0, 40, 4)), *LONG])
def test_all_grains_agree_and_runs_lie_within_their_bounds(case: Case) -> None:
    assert isinstance(case.arch.dram, ChannelConfig)
    keys = EfficiencyKeys(reads=0.93, halves=0.61, writes=0.88)
    dram = case.arch.dram.model_copy(update={"efficiency": keys})
    machine = Machine(case.arch.model_copy(update={"dram": dram}))  # its laws hold lower <= cycles <= upper
    skipping = machine.run(case.gemm)
    plain = machine.run(case.gemm, SimulationOptions(fast_forward=False))
    assert (skipping.cycles, skipping.counters) == (plain.cycles, plain.counters)
    assert plain.cycles >= Machine(case.arch).run(case.gemm).cycles
    if plain.cycles < 20_000:
        beats = machine.run(case.gemm, SimulationOptions("beat", fast_forward=False))
        assert (beats.cycles, beats.counters, beats.states) == (plain.cycles, plain.counters, plain.states)


def test_a_run_that_waits_for_memory_takes_as_much_longer() -> None:
    scarce = ["dram.bandwidth_gigabytes_per_second=2", "dram.time_quantum=null", "schedule.k_block=256"]
    full = Machine(load_arch("anda-hpca25", scarce)).run(GEMM)
    arch = load_arch("anda-hpca25", [*scarce, MIXED])
    run = Machine(arch).run(GEMM)
    moved = sum(run.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
    longer = run.counters["dram.occupied_bytes"] / moved
    assert 1 / 0.9 < longer < 1 / 0.7
    assert run.cycles / full.cycles == pytest.approx(longer, rel=0.02)
    assert run.cycles > model_of(arch).least_cycles(moved) >= moved / 0.9 / float(model_of(arch).bytes_per_cycle)


def test_at_full_rate_nothing_is_counted() -> None:
    assert "dram.occupied_bytes" not in Machine(load_arch("anda-hpca25")).run(GEMM).counters
    model = model_of(load_arch("anda-hpca25", ["dram.efficiency={reads: 1, halves: 1, writes: 1}"]))
    assert isinstance(model, FlatChannel)
    assert model.efficiency.worst == 1


@pytest.mark.parametrize(
    ("override", "field", "problem"),
    [
        ("dram.efficiency.reads=1.2", "dram.efficiency.reads", "less than or equal to 1, found 1.2"),
        ("dram.efficiency.halves=0", "dram.efficiency.halves", "greater than 0, found 0"),
        ("dram.efficiency.read=0.9", "dram.efficiency.read", "unknown key"),
        ("dram.efficiency=0.9", "dram.efficiency", "0.9"),
    ],
)
def test_what_no_channel_reaches_is_refused(override: str, field: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        load_arch("anda-hpca25", [override])
    assert (caught.value.field, problem in caught.value.problem) == (field, True), caught.value
    assert caught.value.place is not None
