"""MXUs that split tokens, outputs and K of a tile: every grain counts what the automata count, and laws hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Schedule
from sim.errors import InputError
from sim.formats.int4 import Int4Tensor
from sim.functional.execute import execute
from sim.machine.assembly import SimulationOptions
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from sim.simulation import simulate
from sim.workload.gemm import Gemm, Phase, Workload
from tests import oracle
from tests.laws.test_waterfall import cuts, multipliers_and_cycles_of_a_mac, waterfall
from tests.machines import split_case
from tests.test_grains import differences
from tests.test_oracle import observed

CASES, BATCH = 200, 50
BEATS = 20_000


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_random_splits_count_what_the_automata_count_at_every_grain(first: int) -> None:
    compared = reduced = shared = 0
    for seed in range(first, first + BATCH):
        case = split_case(seed)
        try:
            machine = Machine(case.arch)
            tile = machine.run(case.gemm, SimulationOptions(fast_forward=False))
        except InputError:
            continue  # the random buffer does not hold a tile
        assert observed(tile) == oracle.predict(case.arch, case.gemm), f"seed {seed}"
        assert not differences(tile, machine.run(case.gemm)), f"fast-forward, seed {seed}"
        if tile.cycles <= BEATS:
            assert not differences(tile, machine.run(case.gemm, SimulationOptions("beat"))), f"beat, seed {seed}"
        compared += 1
        split = case.arch.split_of(case.arch.schedule)
        reduced += split.k > 1
        shared += split.tokens > 1
    assert compared >= 0.8 * BATCH
    assert min(reduced, shared) >= BATCH / 5


def test_what_the_parts_of_a_tile_leave_empty_is_lost_part_by_part() -> None:
    seen: set[str] = set()
    for seed in range(60):
        case = split_case(seed)
        mxu, schedule, gemm = case.arch.mxu, case.arch.schedule, case.gemm
        assert isinstance(schedule, Schedule)
        split = case.arch.split_of(schedule)
        try:
            found, _ = waterfall(case.arch, gemm)
        except InputError:
            continue
        multipliers, mac_cycles = multipliers_and_cycles_of_a_mac(case)
        words = mac_cycles if mxu.pe == "anda" else -(-mxu.dot_length // multipliers)
        columns_lost = absent = 0
        groups, size, height, width = -(-gemm.k // mxu.dot_length), mxu.rows * mxu.columns, mxu.rows, mxu.columns
        for rows in cuts(gemm.m, schedule.token_block, height * split.tokens):
            for columns in cuts(gemm.n, schedule.output_block, width * split.outputs):
                for step in range(0, groups, split.k):
                    for i, j, part in product(range(split.tokens), range(split.outputs), range(split.k)):
                        r = min(max(rows - i * height, 0), height)  # of this MXU
                        c = min(max(columns - j * width, 0), width)
                        works = bool(r and c and step + part < groups)
                        columns_lost += r * (width - c) if r and c else 0
                        absent += 0 if works else r * c if r and c else (size if not r else r * width)
                        # an MXU without its group still has empty rows and columns, which are lost to those
        each = words * multipliers
        assert found.losses.get("columns_without_outputs", 0) == columns_lost * each, seed
        assert found.losses.get("mxus_without_outputs", 0) == absent * each, seed
        seen |= set(found.losses)
    assert {"columns_without_outputs", "mxus_without_outputs", "mxus_left_out"} <= seen


SPLIT = (
    *("mxu.count=8", "buffers.weight.banks=8", "buffers.activation.banks=8", "activation_dispatcher.streams=4"),
    *("collector.reduction_cycles=1", "schedule.split={tokens: 2, outputs: 2, k: 2}", "schedule.k_block=512"),
    "schedule.output_block=128",
)
WORK = Gemm("g", "up", m=70, k=1000, n=200, mantissa_bits=6, output_mantissa_bits=6)


def chip(*overrides: str) -> float:
    return sum(area_square_millimetres(load_arch("anda-hpca25", overrides)).values())


def test_what_a_schedule_leaves_out_cannot_change_its_run() -> None:
    small = Machine(load_arch("anda-hpca25", SPLIT))
    for more in ("mxu.count=9", "mxu.count=24", "activation_dispatcher.streams=8", "buffers.weight.bytes=4194304"):
        large = Machine(load_arch("anda-hpca25", [*SPLIT, more]))
        assert large.piece(WORK) == small.piece(WORK), more


@pytest.mark.parametrize("count", [8, 9, 20])
def test_the_multipliers_of_mxus_that_are_left_out_are_lost(count: int) -> None:
    result = simulate(load_arch("anda-hpca25", [*SPLIT, f"mxu.count={count}"]), one(WORK))
    left_out = result.waterfall.losses.get("mxus_left_out", 0)
    assert left_out * count == result.waterfall.whole * (count - 8)
    schedule = result.layers[0].schedule
    assert schedule is not None
    assert schedule.split is not None
    assert (schedule.split.tokens, schedule.split.outputs, schedule.split.k) == (2, 2, 2)


def test_streams_and_the_tree_cost_area_and_energy() -> None:
    plain = chip("mxu.count=8", "schedule=best", "buffers.activation.banks=8")
    streams = [
        chip("mxu.count=8", "schedule=best", "buffers.activation.banks=8", f"activation_dispatcher.streams={n}")
        for n in (2, 3, 8)
    ]
    assert plain < streams[0] < streams[1] < streams[2]
    arch = load_arch("anda-hpca25", SPLIT)
    logic, seven = arch.cost.logic, area_square_millimetres(arch)["reduction"]
    # a node between each MXU and the next, an adder with its registers for each FP32 of a beat
    of_an_adder = logic.fp32_adder_square_micrometres + 64 * logic.flip_flop_square_micrometres
    assert seven == pytest.approx(7 * (1024 // 32) * of_an_adder / 1e6)
    result = simulate(arch, one(WORK))
    assert result.counters["collector.additions"] == WORK.m * WORK.n
    adding = logic.fp32_adder_picojoules + 64 * logic.flip_flop_femtojoules_per_cycle / 1e3
    standing = 7 * 32 * 64 * logic.flip_flop_leakage_nanowatts * 1e-6 * result.totals.cycles / 285e6 * 1e9
    assert result.energy["reduction"] == pytest.approx(WORK.m * WORK.n * adding + standing)
    # every PE's share of the bits that two levels of four streams, and one of weights, let through
    bits = 2 * (1024 + 80) + 1024
    selecting = result.counters["mxu.pe_cycles"] / 256 * bits * logic.multiplexer_femtojoules_per_bit / 1e3
    assert result.energy["streams"] > selecting > 0


def test_a_level_of_the_tree_takes_the_stages_that_the_clock_needs() -> None:
    fast = ["clock.frequency_megahertz=1000", "mxu.count=2", "schedule=best"]
    with pytest.raises(InputError) as caught:
        chip(*fast, "collector.reduction_cycles=3")
    assert caught.value.field == "collector.reduction_cycles"
    assert caught.value.facts["needed"] == "4"
    assert chip(*fast, "collector.reduction_cycles=4") > chip(*fast)


@pytest.mark.parametrize(
    ("overrides", "field", "needed", "available"),
    [
        (["mxu.count=7"], "schedule.split", "8 = 2 x 2 x 2", "7 (mxu.count)"),
        (["activation_dispatcher.streams=3"], "schedule.split", "4 = 2 of tokens x 2 of K", "3 (activation_dispatcher"),
        (["collector.reduction_cycles=null"], "schedule.split.k", "a tree", ""),
        (["activation_dispatcher.streams=16"], "activation_dispatcher.streams", "banks of 16", "8"),
        (["schedule.split={tokens: 4, outputs: 1}"], "schedule.split", "64 rows x 64 outputs", "16 rows x 128 outputs"),
        (["schedule.k_block=192"], "schedule.k_block", "", ""),
        (["schedule.output_block=96"], "schedule.output_block", "", ""),
        (["schedule.split={outputs: 0}"], "schedule.split.outputs", "", ""),
    ],
)
def test_a_split_that_the_machine_has_nothing_for_is_refused(
    overrides: list[str], field: str, needed: str, available: str
) -> None:
    with pytest.raises(InputError) as caught:
        Machine(load_arch("anda-hpca25", [*SPLIT, *overrides]))
    assert caught.value.field == field
    assert needed in str(caught.value.facts.get("needed", ""))
    assert available in str(caught.value.facts.get("available", ""))
    assert caught.value.place is not None


def test_integer_pes_have_no_values_where_mxus_split_k() -> None:
    arch = load_arch("int8", [*SPLIT, "buffers.activation.bytes=2097152"])
    machine, gemm = Machine(arch), Gemm("g", "up", m=4, k=256, n=8)
    weights = Int4Tensor.quantise(np.ones((8, 256)), "symmetric")
    with pytest.raises(InputError) as caught:
        execute(machine.piece(gemm).plan(), machine.pe, np.ones((4, 256), np.float16), weights)
    assert caught.value.field == "schedule.split.k"


def one(gemm: Gemm) -> Workload:
    return Workload("one", (Phase("prefill", (gemm,)),))
