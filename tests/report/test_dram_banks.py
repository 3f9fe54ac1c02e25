"""What reports say of a DRAM with banks, and keep to themselves of one without."""

from __future__ import annotations

from itertools import pairwise

from sim.arch.load import load_arch
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.machine import Machine
from sim.report.vocabulary import dram_rows, label, skipped, state_words
from sim.result import FastForward
from sim.units.dram import Dram
from sim.workload.gemm import Gemm
from tests.arch.test_banks_refusals import BANKS

GEMM = Gemm("up", "up", m=64, k=512, n=256, mantissa_bits=6, output_mantissa_bits=6)


def test_rows_found_open_are_told_where_there_are_rows() -> None:
    run = Machine(load_arch("anda-hpca25", [BANKS])).run(GEMM)
    counters = run.counters
    hits, misses, conflicts = (counters[f"dram.row_{name}"] for name in ("hits", "misses", "conflicts"))
    told = dram_rows(counters, run.cycles)
    assert told.startswith(
        f"bursts find their row open {100 * hits / (hits + misses + conflicts):.1f} %, the bank closed "
    )
    assert f"; rows are open {100 * counters['dram.open_cycles'] / run.cycles:.1f} % of the time; " in told
    assert told.endswith(f"{counters['dram.turns']} turns, {counters['dram.refresh_stops']} refreshes in the way")
    assert dram_rows(Machine(load_arch("anda-hpca25")).run(GEMM).counters, run.cycles) == ""


def test_a_slip_is_told_with_the_cycles_that_were_skipped() -> None:
    some = FastForward(skipped_cycles=500, obstacles=(), dram_rounding=0.0)
    assert "refreshes that came back nearly on time may move them by 0.3000%" in skipped(some, 1000, 3)
    assert "refreshes" not in skipped(some, 1000)


def test_every_part_of_dram_has_a_name() -> None:
    assert all(label(component).startswith("DRAM") for component in Dram.components)


class Spans:
    """A recorder that keeps what DRAM does: whether it reads or writes, how fast, how many banks are open."""

    def __init__(self) -> None:
        self.of: dict[str, list[tuple[str, int, int]]] = {}

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        self.of.setdefault(unit, []).append((state, start_cycle, end_cycle))


def traced(*overrides: str) -> tuple[Spans, Run]:
    recorder = Spans()
    arch = load_arch("anda-hpca25", [BANKS, *overrides])
    return recorder, Machine(arch).run(GEMM, SimulationOptions(fast_forward=False), recorder)


def test_the_trace_shows_when_the_bus_is_read_and_written() -> None:
    recorder, run = traced()
    found = recorder.of["dram"]
    assert {state for state, *_ in found} == {"reads", "writes"}
    assert sum(end - start for _, start, end in found) == run.counters["dram.busy_cycles"]
    for (_, _, end), (_, start, _) in pairwise(found):
        assert end <= start
    assert [state_words(state) for state in ("reads", "weights")] == ["reads", "waits for weights"]


def test_the_trace_shows_bandwidth_over_time() -> None:
    recorder, run = traced()
    moved = sum(run.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
    spans = recorder.of["dram bytes a cycle"]
    assert [(start, end) for _, start, end in spans] == [(start, end) for _, start, end in recorder.of["dram"]]
    shown = sum(int(rate) * (end - start) for rate, start, end in spans)
    # whole bytes a cycle, and whole stripes of 16 bursts of 32 bytes
    assert moved - run.counters["dram.busy_cycles"] <= shown <= moved + 512 * len(spans)


def test_the_trace_shows_how_many_banks_are_open() -> None:
    recorder, run = traced("dram.pin_gigabits_per_second=0.25")
    spans = recorder.of["dram banks open"]
    counts = [int(count) for count, *_ in spans]
    # weights, activations and outputs lie in different banks, so that a row of each is open in all four groups
    assert max(counts) == 3 * 4
    assert all(start < end for _, start, end in spans)
    for (_, _, end), (_, start, _) in pairwise(spans):
        assert end <= start
    # an idle gap as long as a refresh closes all of them
    assert sum(end - start for count, start, end in spans if count != "0") <= run.counters["dram.open_cycles"]
    closed = traced("dram.page=closed")[0].of["dram banks open"]
    assert {count for count, *_ in closed} == {"0"}
