"""What reports say of a DRAM with banks, and keep to themselves of one without."""

from __future__ import annotations

from sim.arch.load import load_arch
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.report.vocabulary import dram_rows, label, skipped
from sim.result import FastForward
from sim.units.dram import Dram
from sim.workload.gemm import Gemm
from tests.arch.test_banks_refusals import BANKS

GEMM = Gemm("up", "up", m=64, k=512, n=256, mantissa_bits=6, output_mantissa_bits=6)


def test_rows_found_open_are_told_where_there_are_rows() -> None:
    counters = Machine(load_arch("anda-hpca25", [BANKS])).run(GEMM).counters
    hits, misses, conflicts = (counters[f"dram.row_{name}"] for name in ("hits", "misses", "conflicts"))
    told = dram_rows(counters)
    assert told.startswith(f"rows open {100 * hits / (hits + misses + conflicts):.1f} %, closed ")
    assert told.endswith(f"{counters['dram.turns']} turns, {counters['dram.refresh_stops']} refreshes in the way")
    assert dram_rows(Machine(load_arch("anda-hpca25")).run(GEMM).counters) == ""


def test_a_slip_is_told_with_the_cycles_that_were_skipped() -> None:
    some = FastForward(skipped_cycles=500, obstacles=(), dram_rounding=0.0)
    assert "refreshes that came back nearly on time may move them by 0.3000%" in skipped(some, 1000, 3)
    assert "refreshes" not in skipped(some, 1000)


def test_every_part_of_dram_has_a_name() -> None:
    assert all(label(component).startswith("DRAM") for component in Dram.components)


class Spans:
    """A recorder that keeps what DRAM does."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int, int]] = []

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        if unit == "dram":
            self.found.append((state, start_cycle, end_cycle))


def test_the_trace_shows_when_the_bus_is_read_and_written() -> None:
    recorder = Spans()
    run = Machine(load_arch("anda-hpca25", [BANKS])).run(GEMM, SimulationOptions(fast_forward=False), recorder)
    assert {state for state, *_ in recorder.found} == {"reads", "writes"}
    assert sum(end - start for _, start, end in recorder.found) == run.counters["dram.busy_cycles"]
    for (_, _, end), (_, start, _) in zip(recorder.found, recorder.found[1:], strict=False):
        assert end <= start
