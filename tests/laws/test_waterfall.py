"""The multipliers' time adds up: useful work and losses, against counts made tile by tile, at both grains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch, Schedule
from sim.engine.activity import State
from sim.errors import InputError
from sim.laws.conservation import BrokenLawError
from sim.laws.expectation import GemmExpectation, VectorExpectation
from sim.laws.waterfall import LOSSES, Waterfall, gemm_waterfall, total, vector_waterfall
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.execution import run_piece
from sim.machine.machine import Machine
from sim.units.mxu import Mxu
from sim.workload.gemm import Gemm, VectorWork
from tests.laws.test_bounds import MACHINES, unlimited_case
from tests.machines import Case, random_case

CASES, BATCH = 1000, 100
GRAINS = (SimulationOptions(), SimulationOptions(fast_forward=False), SimulationOptions("beat"))
BEATS = 30_000
"""Cycles up to which the beat grain is simulated."""


def waterfall(arch: Arch, gemm: Gemm, options: SimulationOptions = SimulationOptions()) -> tuple[Waterfall, Run]:
    machine = Machine(arch)
    piece = machine.piece(gemm)
    run, expected = run_piece(piece, options), GemmExpectation(piece)
    return gemm_waterfall(expected, machine.pe, run, machine.arch.mxu.count), run


def multipliers_and_cycles_of_a_mac(case: Case) -> tuple[int, int]:
    """Of one PE, from the kinds' definitions."""
    mxu, bits = case.arch.mxu, case.gemm.mantissa_bits
    if mxu.pe == "anda":
        assert bits is not None
        return mxu.dot_length, bits + 1
    assert mxu.lanes is not None
    return mxu.lanes, 1


def cuts(size: int, *steps: int) -> Iterator[int]:
    """Sizes of the pieces of an extent that is cut again and again."""
    for start in range(0, size, steps[0]):
        piece = min(steps[0], size - start)
        if steps[1:]:
            yield from cuts(piece, *steps[1:])
        else:
            yield piece


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_it_adds_up_on_random_machines(first: int) -> None:
    compared = 0
    for seed in range(first, first + BATCH):
        case = random_case(seed)
        try:
            found, run = waterfall(case.arch, case.gemm)
        except InputError:
            continue  # the random buffer does not hold a tile
        mxu, (multipliers, mac_cycles) = case.arch.mxu, multipliers_and_cycles_of_a_mac(case)
        assert found.multipliers == mxu.rows * mxu.columns * mxu.count * multipliers
        assert found.cycles == run.cycles
        assert found.useful == case.gemm.m * case.gemm.k * case.gemm.n * mac_cycles
        assert found.useful + sum(found.losses.values()) == run.cycles * found.multipliers, seed
        assert set(found.losses) <= set(LOSSES)
        assert min(found.losses.values()) > 0
        compared += 1
    assert compared >= 0.9 * BATCH


def test_it_is_the_same_at_every_grain() -> None:
    compared = 0
    for seed in range(BATCH):
        case = random_case(seed)
        skipping, plain = (waterfall(case.arch, case.gemm, options)[0] for options in GRAINS[:2])
        assert skipping == plain, seed
        if plain.cycles < BEATS:
            assert waterfall(case.arch, case.gemm, GRAINS[2])[0] == plain, seed
            compared += 1
    assert compared > BATCH / 2


def test_what_a_tile_leaves_empty_is_lost_to_rows_then_columns_then_mxus_then_k() -> None:
    seen: set[str] = set()
    for seed in range(300):
        case = random_case(seed)
        mxu, schedule, gemm = case.arch.mxu, case.arch.schedule, case.gemm
        assert isinstance(schedule, Schedule)
        multipliers, mac_cycles = multipliers_and_cycles_of_a_mac(case)
        groups = -(-gemm.k // mxu.dot_length)
        words = mac_cycles if mxu.pe == "anda" else -(-mxu.dot_length // multipliers)
        of_a_pe = groups * words * multipliers
        lost = dict.fromkeys(("rows", *LOSSES[2:5]), 0)
        tiles = list(cuts(gemm.m, schedule.token_block, mxu.rows))
        for rows in tiles:
            for width in cuts(gemm.n, schedule.output_block, mxu.columns * mxu.count):
                working = [min(mxu.columns, width - first) for first in range(0, width, mxu.columns)]
                lost["rows"] += (mxu.rows - rows) * mxu.columns * mxu.count * of_a_pe
                lost["columns_without_outputs"] += rows * sum(mxu.columns - own for own in working) * of_a_pe
                lost["mxus_without_outputs"] += rows * (mxu.count - len(working)) * mxu.columns * of_a_pe
                lost["k_padding"] += rows * width * (of_a_pe - gemm.k * mac_cycles)
        found = waterfall(case.arch, gemm)[0].losses
        needless = len(tiles) - len(list(cuts(gemm.m, mxu.rows)))
        of_a_row_tile = mxu.rows * mxu.columns * mxu.count * of_a_pe
        tiles_across = len(list(cuts(gemm.n, schedule.output_block, mxu.columns * mxu.count)))
        assert found.get("rows_cut_by_blocks", 0) == needless * tiles_across * of_a_row_tile, seed
        assert found.get("rows_cut_by_blocks", 0) + found.get("rows_without_tokens", 0) == lost.pop("rows"), seed
        assert {name: found.get(name, 0) for name in lost} == lost, seed
        seen |= {name for name in LOSSES[:5] if name in found}
    assert seen == set(LOSSES[:5])


@pytest.mark.parametrize("kind", MACHINES)
def test_where_nothing_but_compute_takes_time_nothing_waits_for_a_channel(kind: str) -> None:
    for seed in range(20):
        case = unlimited_case(kind, seed)
        assert not [name for name in waterfall(case.arch, case.gemm)[0].losses if "channel" in name], seed


STEADY = ("buffers.weight.fill_port_bits=1048576", "buffers.activation.fill_port_bits=1048576")
TALL = Gemm("tall", "other", m=16, k=512, n=4096, mantissa_bits=7)


def waits(overrides: tuple[str, ...], gemm: Gemm = TALL) -> tuple[int, int]:
    """Cycles that the MXU waits for operands beside a busy and beside an idle channel."""
    arch = load_arch("anda-hpca25", [*STEADY, "schedule.token_block=16", *overrides])
    counters = waterfall(arch, gemm)[1].counters
    busy, idle = (
        sum(counters[f"mxu.{operand}_wait_channel_{channel}_cycles"] for operand in ("weights", "activations"))
        for channel in ("busy", "idle")
    )
    return busy, idle


def test_waits_for_a_narrow_channel_are_beside_a_busy_one() -> None:
    busy, idle = waits(("dram.bandwidth_gigabytes_per_second=5", "dram.latency_nanoseconds=0"))
    assert busy > 100 * idle
    assert busy > 10_000


def test_waits_for_a_late_channel_are_beside_an_idle_one() -> None:
    late = ("dram.bandwidth_gigabytes_per_second=200000", "dram.time_quantum=null", "dram.latency_nanoseconds=100000")
    busy, idle = waits((*late, "dram.outstanding_loads=1"))
    assert idle > 100 * busy
    assert idle > 100_000


def test_bit_serial_and_bit_parallel_multipliers_of_one_pace_are_used_alike() -> None:
    # 15 mantissa bits take 16 cycles a group, as 4 lanes take 16 cycles for 64 values; both are fed in time.
    plenty = [
        *STEADY,
        "dram.bandwidth_gigabytes_per_second=100000",
        "dram.time_quantum=null",
        "schedule.token_block=16",
    ]
    gemm = Gemm("both", "other", m=16, k=4096, n=512, mantissa_bits=15)
    anda, fp = (waterfall(load_arch(arch, plenty), gemm)[0] for arch in ("anda-hpca25", "fp-fp"))
    assert anda.multipliers == 16 * 16 * 64
    assert fp.multipliers == 16 * 16 * 4
    assert anda.utilisation == pytest.approx(fp.utilisation, rel=0.01)
    assert anda.utilisation > 0.97


def test_a_larger_array_with_the_ports_of_a_smaller_one_is_half_used() -> None:
    # 32 x 32 PEs of 4 lanes are 4,096 MAC a cycle; 16 tokens fill 16 rows, and a port of 1,024 bits feeds 16 a cycle.
    gemm = Gemm("square", "other", m=2048, k=4096, n=4096)
    for token_block, loss in ((16, "rows_cut_by_blocks"), (32, "activation_port")):
        pinned = ["activation_dispatcher.port_bits=1024"] if token_block == 32 else []
        blocks = f"schedule.token_block={token_block}"
        arch = load_arch("fp-fp", ["mxu.rows=32", "mxu.columns=32", blocks, *pinned])
        found, _ = waterfall(arch, gemm)
        assert found.multipliers == 4096
        assert found.utilisation == pytest.approx(0.5, abs=0.002)
        assert found.losses[loss] / found.whole == pytest.approx(0.5, abs=0.002)


def test_lanes_that_do_not_divide_a_group_are_lost_to_padding() -> None:
    # 64 values by 3 lanes take 22 words: 2 of 66 places are empty; K is 64 whole groups.
    arch = load_arch("fp-fp", ["mxu.lanes=3", "activation_dispatcher.port_bits=768"])
    found, _ = waterfall(arch, Gemm("lanes", "other", m=16, k=4096, n=16))
    assert found.losses["k_padding"] == 16 * 16 * 64 * 2


def test_vector_work_is_lost_whole() -> None:
    machine = Machine(load_arch("anda-hpca25"))
    piece = machine.piece(VectorWork("softmax", "softmax", operations=10**6, read_bytes=10**6, write_bytes=10**6))
    run, expected = run_piece(piece), VectorExpectation(piece)
    found = vector_waterfall(expected, machine.pe, run)
    assert found.useful == 0
    assert found.losses["vector_work"] == run.states["vector"][State.BUSY] * found.multipliers
    assert sum(found.losses.values()) == run.cycles * 16 * 16 * 64


def test_a_sum_is_its_parts_each_as_often_as_it_occurs() -> None:
    arch = load_arch("anda-hpca25")
    one, other = (waterfall(arch, Gemm("one", "other", m, 256, 64, mantissa_bits=5))[0] for m in (1, 33))
    both = total([(3, one), (2, other)])
    assert both.cycles == 3 * one.cycles + 2 * other.cycles
    assert both.useful == 3 * one.useful + 2 * other.useful
    assert both.whole == 3 * one.whole + 2 * other.whole
    for name in LOSSES:
        assert both.losses.get(name, 0) == 3 * one.losses.get(name, 0) + 2 * other.losses.get(name, 0)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("mantissa_bits", [1, 7, 16])
def test_a_group_finds_room_in_the_multipliers_of_its_cycles(kind: str, mantissa_bits: int) -> None:
    pe = Machine(load_arch(MACHINES[kind])).pe
    places = pe.cycles(mantissa_bits) * pe.multipliers
    taken = pe.mxu.dot_length * pe.multiplier_cycles(mantissa_bits)
    assert taken <= places < taken + pe.multipliers


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ("tile_lag", lambda self: 0),
        ("_begin", lambda self: setattr(self, "started", True)),
        ("_wait", lambda self, event, cause, port_cycles=0: self.activity.wait(event, cause)),
    ],
)
def test_waits_counted_wrongly_break_a_law(place: str, broken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mxu, place, broken)
    with pytest.raises(BrokenLawError, match=r"mxu: busy \+ ports \+ waits"):
        [waterfall(case.arch, case.gemm) for case in map(random_case, range(20))]


def test_a_waterfall_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(BrokenLawError, match="useful"):
        Waterfall(10, 4, 30, {"k_padding": 9})
    with pytest.raises(BrokenLawError, match="negative"):
        Waterfall(10, 4, 41, {"k_padding": -1})
