"""Fast-forward over long loops: exact at every level, and the faults that break exactness are caught."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.engine import fast_forward
from sim.engine.fast_forward import FastForwarder
from sim.laws.conservation import BrokenLawError
from sim.machine.assembly import Assembly, SimulationOptions
from sim.machine.machine import Machine
from sim.mapping.nest import LEVELS, TileCursor
from sim.units.buffer import Buffer
from sim.units.collector import Collector
from sim.units.dram.channel import ChannelUnit
from sim.units.mxu import Mxu
from sim.units.writer import Writer
from sim.workload.gemm import Gemm, VectorWork
from tests.machines import Case
from tests.test_grains import differences

PER_LEVEL = 30


def long_loop(seed: int, level: str) -> Case:
    """A small machine and a GeMM with many iterations of one loop, ragged at its end more often than not."""
    rng = random.Random(f"{level} {seed}")
    rows, columns, group = rng.choice([2, 4, 8]), rng.choice([4, 8, 16]), 16
    run = max(group, columns)
    many = rng.randint(12, 40)
    tall = rows * rng.choice([1, 2, 3])
    sizes = {"outer blocks": (rows, run), "inner blocks": (tall, run), "row tiles": (many * rows, run)}
    token_block, output_block = sizes.get(level, (rows, many * run))
    order = rng.choice(["tokens_outer", "outputs_outer"])
    outer_is_tokens = order == "tokens_outer"
    blocks = {"outer blocks": (many, rng.randint(1, 3)), "inner blocks": (rng.randint(1, 3), many)}
    outer, inner = blocks.get(level, (rng.randint(1, 2), rng.randint(2, 5)))
    token_blocks, output_blocks = (outer, inner) if outer_is_tokens else (inner, outer)
    m = max(1, token_blocks * token_block - rng.choice([rng.randint(0, rows), rng.randint(0, token_block // 2)]))
    n = max(1, output_blocks * output_block - rng.randint(0, run))
    k = rng.randint(1, 6) * group - rng.choice([0, 0, 3])
    k_block = group * rng.choice([1, 2, 6])
    deep = rng.choice([1, 2, 3])
    overrides = [
        *(f"mxu.rows={rows}", f"mxu.columns={columns}", f"mxu.dot_length={group}", f"bpc.group_size={group}"),
        *(f"mxu.output_registers={rng.randint(1, 3)}", f"mxu.pipeline_cycles={rng.randint(0, 12)}"),
        f"buffers.activation.bytes={deep * (token_block * (k + group) * 17 // 8 + 64)}",
        f"buffers.weight.bytes={deep * (output_block * (k + group) * 2 + 64)}",
        f"buffers.weight.double_buffered={rng.choice(['true', 'true', 'false'])}",
        f"collector.port_bits={rng.choice([64, 1024])}",
        f"writer.blocks={rng.randint(1, 3)}",
        f"bpc.lanes={rng.choice([1, 16])}",
        f"dram.bandwidth_gigabytes_per_second={rng.choice([0.57, 2.28, 4.56, 36.48, 256])}",
        f"dram.latency_nanoseconds={rng.choice([0, 30, 200])}",
        f"dram.arbitration={rng.choice(['first_come', 'priority', 'round_robin'])}",
        f"dram.transaction_bytes={rng.choice([256, 4096])}",
        f"dram.time_quantum={rng.choice(['null', 1, 8])}",
        f"dram.outstanding_loads={rng.randint(1, 5)}",
        *(f"schedule.token_block={token_block}", f"schedule.output_block={output_block}"),
        *(f"schedule.k_block={k_block}", f"schedule.order={order}"),
    ]
    output = rng.choice([None, rng.randint(1, 9)])
    gemm = Gemm("long", "other", m, k, n, mantissa_bits=rng.randint(1, 9), output_mantissa_bits=output)
    return Case(load_arch("anda-hpca25", overrides), gemm)


def skipped_levels(case: Case, options: SimulationOptions = SimulationOptions()) -> set[str]:
    """Levels at which this case skips; raises where a skip changed anything."""
    machine = Machine(case.arch)
    skipping = machine.run(case.gemm, options)
    wrong = differences(machine.run(case.gemm, SimulationOptions(fast_forward=False)), skipping)
    assert not wrong, wrong
    return {skip.level for skip in skipping.skips}


@pytest.mark.parametrize("level", LEVELS)
def test_long_loops_are_skipped_exactly(level: str) -> None:
    found = [skipped_levels(long_loop(seed, level)) for seed in range(PER_LEVEL)]
    assert 2 * sum(level in levels for levels in found) >= PER_LEVEL


@pytest.mark.parametrize("level", LEVELS)
def test_a_period_seen_twice_is_the_same_twice(level: str) -> None:
    assert any(skipped_levels(long_loop(seed, level), SimulationOptions(verify=True)) for seed in range(6))


def caught(seeds: range = range(PER_LEVEL)) -> bool:
    """Whether some long loop comes out wrong, breaks a law, or never ends."""
    for level in LEVELS:
        for seed in seeds:
            try:
                skipped_levels(long_loop(seed, level))
            except (AssertionError, BrokenLawError, RuntimeError, OverflowError):
                return True
    return False


@pytest.mark.parametrize("unit", [Buffer, Collector, Mxu])
def test_state_that_a_unit_hides_is_caught(unit: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "in_hand", lambda self: ())
    monkeypatch.setattr(unit, "relative_state", lambda self: ())
    assert caught()


def test_a_channel_whose_time_is_left_out_of_the_state_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChannelUnit, "relative_state", lambda self: ())
    assert caught()


def test_landing_in_a_ragged_last_body_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_far(self: FastForwarder, level: int) -> int:
        return max(self._leader.count(level) - 1 - self._leader.position[level], 0)

    monkeypatch.setattr(FastForwarder, "_room", too_far)
    assert caught()


def test_remembered_periods_need_the_shape_of_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    # The cursors ahead and the bytes free in the buffers tell a block's shape too: all go, that the fault may show.
    monkeypatch.setattr(TileCursor, "shape", ())
    monkeypatch.setattr(FastForwarder, "_relative_cursors", lambda self, level: ())
    monkeypatch.setattr(Buffer, "in_hand", lambda self: (self.chunk, tuple(self.arrivals.items)))
    assert caught()


def test_progress_downstream_must_move_too(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Assembly._skip

    def forgetful(self: Assembly, delta: tuple[int, ...], times: int) -> None:
        left = self.writer.blocks_left
        original(self, delta, times)
        self.writer.blocks_left = left

    monkeypatch.setattr(Assembly, "_skip", forgetful)
    assert caught()


def test_a_period_that_counts_differently_the_second_time_stops_a_verified_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(10**9))

    def drifting(self: Writer) -> dict[str, int]:
        values = {"writer.blocks": self.blocks_stored, "writer.written_bytes": self.written_bytes}
        return {**values, "writer.written_values": next(calls) ** 2}

    monkeypatch.setattr(Writer, "counters", drifting)
    with pytest.raises(fast_forward.PeriodError):
        run_verified()


def run_verified() -> None:
    for seed in range(PER_LEVEL):
        case = long_loop(seed, "inner blocks")
        with suppress(BrokenLawError):
            Machine(case.arch).run(case.gemm, SimulationOptions(verify=True))


def long_vector_work(seed: int) -> tuple[Arch, VectorWork]:
    """Operations on some multiple of the activation buffer, read, written or both."""
    rng = random.Random(f"vector {seed}")
    buffer = rng.choice([512, 1000, 4096])
    reads, writes = rng.choice([(1, 1), (1, 0), (0, 1), (3, 1), (1, 40), (1, 1000)])
    amount = buffer * rng.randint(1, 20) // max(reads, writes) + rng.randint(0, 3)
    overrides = [
        f"vector.fpus={rng.choice([1, 16, 128])}",
        f"buffers.activation.bytes={buffer}",
        f"buffers.activation.fill_port_bits={rng.choice([64, 1024])}",
        f"buffers.activation.double_buffered={rng.choice(['true', 'false'])}",
        f"writer.blocks={rng.randint(1, 3)}",
        f"dram.bandwidth_gigabytes_per_second={rng.choice([0.57, 4.56, 256])}",
        f"dram.latency_nanoseconds={rng.choice([0, 30, 200])}",
        f"dram.arbitration={rng.choice(['first_come', 'priority', 'round_robin'])}",
        f"dram.transaction_bytes={rng.choice([256, 4096])}",
        f"dram.time_quantum={rng.choice(['null', 1, 8])}",
        f"dram.outstanding_loads={rng.randint(1, 5)}",
    ]
    operations = rng.choice([0, 7, amount, 20 * amount])
    return load_arch("anda-hpca25", overrides), VectorWork(
        "vector", "norm", operations, reads * amount, writes * amount
    )


def test_vector_work_counts_the_same_with_and_without_and_beat_by_beat() -> None:
    skipping = 0
    for seed in range(200):
        arch, work = long_vector_work(seed)
        machine = Machine(arch)
        plain = machine.run(work, SimulationOptions(fast_forward=False))
        for options in (SimulationOptions(), SimulationOptions(verify=True), SimulationOptions("beat")):
            run = machine.run(work, options)
            assert not differences(plain, run), (seed, options)
            skipping += bool(run.skips) and not options.verify
    assert skipping >= 100


def test_a_run_that_skips_nothing_says_why() -> None:
    machine = Machine(load_arch("anda-hpca25"))
    short = machine.run(Gemm("short", "other", 16, 64, 64, mantissa_bits=6))
    assert not short.skips
    assert short.obstacle == "too few equal loop iterations to skip any"
