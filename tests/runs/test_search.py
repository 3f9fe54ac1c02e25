"""A search that ends is exact, one that stops says by how much it may not be, and more hardware never loses."""

from __future__ import annotations

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Schedule
from sim.errors import InputError
from sim.laws.expectation import GemmExpectation
from sim.machine.execution import run_piece
from sim.machine.machine import Machine
from sim.mapping.split import check_split
from sim.mapping.uses import all_of
from sim.runs import best_schedule as searching
from sim.runs.best_schedule import search
from sim.runs.candidates import ScheduleSpace
from sim.runs.objectives import value_of
from sim.workload.gemm import Gemm
from tests.growing import growing_pair

WIDE = (
    *("mxu.rows=4", "mxu.columns=4", "mxu.dot_length=16", "bpc.group_size=16", "mxu.count=4", "dram.burst_bytes=16"),
    *("activation_dispatcher.streams=2", "buffers.activation.banks=2", "collector.reduction_cycles=1"),
    *(
        "buffers.activation.exponent_bytes=16384",
        "dram.bandwidth_gigabytes_per_second=12",
        "dram.transaction_bytes=256",
    ),
    *("buffers.activation.bytes=32768", "buffers.weight.bytes=16384"),
)
SMALL = Gemm("small", "up", m=11, k=58, n=70, mantissa_bits=4, output_mantissa_bits=3)


def every(machine: Machine, gemm: Gemm) -> list[Schedule]:
    """Every candidate that fits."""
    piece, found = machine.piece(gemm), []
    space = ScheduleSpace(piece)
    for split in space.splits():
        for blocks in space.blocks(split):
            for chunk in space.chunks(split):
                schedule = blocks.schedule(chunk)
                check_split(piece.hardware, schedule)  # a candidate has what it needs
                try:
                    piece.scheduled(schedule).plan()
                except InputError:
                    continue
                found.append(schedule)
    return found


@pytest.mark.parametrize("objective", ["best-cycles", "best-dram-bytes", "best-energy", "best-energy-delay"])
def test_the_search_finds_the_best_of_all_candidates_within_the_gap_that_it_tells(objective: str) -> None:
    machine = Machine(load_arch("anda-hpca25", [*WIDE, f"schedule={objective}"]))
    piece = machine.piece(SMALL)
    value = value_of(piece.hardware, piece.schedule)  # type: ignore[arg-type]
    runs = [run_piece(piece.scheduled(schedule)) for schedule in every(machine, SMALL)]
    assert len(runs) > 60
    best = min(value(run.counters, run.cycles) for run in runs)
    found = search(piece)
    assert best[0] * (1 - 1e-12) <= found.score[0] <= 1.01 * best[0]
    assert found.least <= best[0] * (1 + 1e-12)
    assert found.gap or found.score == best


def test_no_candidate_has_less_than_its_bounds() -> None:
    machine = Machine(load_arch("anda-hpca25", [*WIDE, "schedule=best-cycles"]))
    piece = machine.piece(SMALL)
    space, held = ScheduleSpace(piece), 0
    for split in space.splits():
        least, least_cycles = space.least(split)
        for blocks in space.blocks(split):
            assert least_cycles <= blocks.cycles
            for chunk in space.chunks(split):
                try:
                    expected = GemmExpectation(piece.scheduled(blocks.schedule(chunk)))
                except InputError:
                    continue
                assert all(least[name] <= blocks.counters[name] <= expected.counters[name] for name in least)
                assert blocks.cycles <= run_piece(piece.scheduled(blocks.schedule(chunk))).cycles
                held += 1
    assert held > 60


def test_a_search_that_is_cut_short_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SIMULATED", 1)
    monkeypatch.setattr(searching, "SIMULATED_STEPS", 1)
    piece = Machine(load_arch("anda-hpca25", [*WIDE, "schedule=best-cycles"])).piece(SMALL)
    found = search(piece)
    assert 0 < found.gap < 1
    monkeypatch.undo()
    assert found.least <= search(piece).score[0] <= found.score[0]


def test_twice_as_much_of_anything_loses_nothing_that_is_known() -> None:
    compared = 0
    for seed in range(14):
        pair = growing_pair(seed)
        if pair is not None:
            assert pair.large.score <= pair.small.score, f"seed {seed}: {pair.resource}"
            compared += 1
    assert compared > 6


def test_a_schedule_that_names_what_it_uses_runs_on_more_as_it_did() -> None:
    small = Machine(load_arch("anda-hpca25", [*WIDE, "schedule=best-cycles"]))
    piece = small.piece(SMALL)
    found = search(piece)
    kept = found.schedule.model_copy(
        update={"uses": all_of(piece.hardware), "split": piece.hardware.split_of(found.schedule)}
    )
    more = ("mxu.count=12", "buffers.weight.bytes=65536", "writer.blocks=8", "dram.outstanding_loads=16")
    large = Machine(load_arch("anda-hpca25", [*WIDE, *more, "schedule=best-cycles"]))
    again = run_piece(large.piece(SMALL).scheduled(kept))
    assert (again.cycles, again.counters, again.states) == (found.run.cycles, found.run.counters, found.run.states)


@pytest.mark.parametrize(
    ("uses", "needed", "available"),
    [
        ("weight_bytes: 2097152", "2097152", "1048576 (buffers.weight.bytes)"),
        ("writer_blocks: 3", "3", "2 (writer.blocks)"),
        ("outstanding_loads: 5", "5", "4 (dram.outstanding_loads)"),
    ],
)
def test_a_schedule_that_uses_more_than_there_is_is_refused(uses: str, needed: str, available: str) -> None:
    with pytest.raises(InputError) as caught:
        Machine(load_arch("anda-hpca25", [f"schedule.uses={{{uses}}}"]))
    assert caught.value.field == f"schedule.uses.{uses.split(':')[0]}"
    assert caught.value.facts == {"needed": needed, "available": available} | caught.value.facts
    assert caught.value.place is not None


def test_an_objective_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError) as caught:
        load_arch("anda-hpca25", ["schedule=best-energy-dely"])
    message = caught.value.render()
    assert "best-energy-delay" in message
    assert "best-dram-bytes" in message
