"""Where operands lie: in different banks, and no request across rows that would fit into one, KV pages included."""

from __future__ import annotations

import random

import pytest

from sim.arch.load import load_arch
from sim.machine.machine import Machine
from sim.simulation import items_of
from sim.units.dram import PORTS, Port
from sim.units.dram.banks.placement import Placement
from sim.units.dram.banks.standards import standards
from sim.workload.gemm import FusedAttention
from sim.workload.load import load_workload
from tests.arch.test_banks_refusals import BANKS
from tests.units.banks.building import settings


@pytest.mark.parametrize("standard", list(standards()))
def test_operands_begin_in_different_banks_and_rows_of_their_own(standard: str) -> None:
    placement = Placement(settings(standard).mapping)
    rows = set()
    for _ in range(3):
        pieces = [placement.mapping.piece(placement.place(port, 8), 8) for port in PORTS]
        assert len({piece.bank for piece in pieces}) == len(PORTS)
        assert len({piece.row for piece in pieces}) == len(PORTS)
        rows |= {piece.row for piece in pieces}
        placement.restart()
    assert len(rows) == 3 * len(PORTS)  # fresh rows after every gap


@pytest.mark.parametrize("seed", range(5))
def test_no_request_lies_across_more_rows_than_it_fills(seed: int) -> None:
    rng = random.Random(seed)
    placement = Placement(settings(rng.choice(list(standards()))).mapping)
    row = placement.mapping.row_set
    behind = 0
    for _ in range(200):
        bursts = rng.choice((1, 3, 17, 32, row - 1, row, row + 1, 5 * row // 2, rng.randint(1, 4 * row)))
        first = placement.place(Port.WEIGHTS, bursts)
        assert first >= behind
        behind, rest, pieces = first + bursts, bursts, 0
        while rest:
            piece = placement.mapping.piece(first, rest)
            first, rest, pieces = first + piece.bursts, rest - piece.bursts, pieces + 1
        assert pieces == -(-bursts // row)


def test_pages_of_keys_and_values_lie_in_as_few_rows_as_they_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    place = Placement.place

    def noted(self: Placement, port: Port, bursts: int) -> int:
        first = place(self, port, bursts)
        if port is Port.WEIGHTS:
            asked.append((bursts, self.mapping.piece(first, bursts).bursts))
        return first

    monkeypatch.setattr(Placement, "place", noted)
    work = load_workload("llama-7b", phase="decode", scope="all", precision="6", context=512)
    attention = next(item for item in items_of(work) if isinstance(item, FusedAttention))
    Machine(load_arch("anda-hpca25", [BANKS])).run(attention)
    # A page: 64 tokens of 128 values of 8 bits with an FP16 scale each; 16 channels of bursts of 32 bytes. 513 tokens
    # take nine of them, which come by head, eight together and the last alone.
    page, eight = (-(-pages * 64 * (128 + 2) // (16 * 32)) for pages in (1, 8))
    assert {bursts for bursts, _ in asked} == {page, eight}
    assert all(together == min(bursts, 128) for bursts, together in asked)
