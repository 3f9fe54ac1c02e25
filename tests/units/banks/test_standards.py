"""Standards as data: rates, capacities, sources, and rows that are derived from others."""

from __future__ import annotations

import pytest

from sim.units.dram.banks.mapping import BankMapping, MappingError
from sim.units.dram.banks.standards import standards
from sim.units.dram.banks.timings import BankTimings, at_pin_rate, contradictions
from tests.units.banks.building import USUAL

PEAK = {"HBM2": 256, "HBM2E": 409.6, "HBM3": 819.2, "HBM3E": 1177.6, "LPDDR5": 12.8, "LPDDR5X": 17.066, "DDR5": 38.4}
"""Gigabytes a second of a stack, channel or module: pins x rate."""
GIBIBYTES = {"HBM2": 8, "HBM2E": 16, "HBM3": 16, "HBM3E": 24, "LPDDR5": 1, "LPDDR5X": 2, "DDR5": 16}


@pytest.mark.parametrize("name", PEAK)
def test_pin_rate_and_capacity_follow(name: str) -> None:
    row = standards()[name]
    burst_clocks = row.clocks["BL"]
    per_second = row.channels * row.burst_bytes * row.clock_hertz(row.pin_gigabits_per_second) / burst_clocks
    assert float(per_second) / 1e9 == pytest.approx(PEAK[name])
    assert row.channels * row.channel_bits * row.pin_gigabits_per_second / 8 == pytest.approx(PEAK[name])
    assert row.channels * row.channel_bytes == GIBIBYTES[name] << 30


@pytest.mark.parametrize("name", PEAK)
def test_timings_are_complete_sourced_and_possible(name: str) -> None:
    row = standards()[name]
    assert set(row.clocks) == set(BankTimings._fields)
    assert {"clocks", "XP"} <= set(row.source)
    assert all(row.source.values())
    assert row.currents is None or "currents" in row.source
    assert not contradictions(BankTimings(**row.clocks))


@pytest.mark.parametrize(
    ("derived", "base", "own"),
    [("HBM2E", "HBM2", {"RFC", "RRDS", "RRDL"}), ("HBM3E", "HBM3", {"RFC"}), ("LPDDR5X", "LPDDR5", {"RFC"})],
)
def test_derived_rows_keep_the_nanoseconds_of_their_base(derived: str, base: str, own: set[str]) -> None:
    row, of = standards()[derived], standards()[base]
    clocks = at_pin_rate(of.clocks, row.pin_gigabits_per_second, of.pin_gigabits_per_second)
    assert {name for name in clocks if clocks[name] != row.clocks[name]} <= own


def test_contradictory_timings_are_found() -> None:
    row = BankTimings(**standards()["HBM2"].clocks)
    assert [key for key, *_ in contradictions(row._replace(RC=47))] == ["RC"]
    assert [key for key, *_ in contradictions(row._replace(CCDL=1))] == ["CCDL"]
    assert [key for key, *_ in contradictions(row._replace(REFI=300))] == ["REFI"]


SIZES = {"row": 32768, "bank": 4, "column": 32, "group": 4, "channel": 16}


def test_a_stream_goes_round_the_groups_then_along_the_row_then_to_the_next_bank() -> None:
    mapping = BankMapping(USUAL, SIZES)
    assert mapping.piece(0, 1000) == (0, 0, 0, 128)
    assert mapping.piece(5, 7) == (0, 0, 1, 7)
    assert mapping.piece(128 * 3 + 126, 50) == (3, 0, 2, 2)
    assert mapping.piece(512, 50) == (0, 1, 0, 50)


OTHERS = ["row column bank group channel", "row bank column channel group", "row group bank column channel"]


@pytest.mark.parametrize("order", [USUAL, *OTHERS])
def test_pieces_cover_every_burst_once(order: str) -> None:
    mapping = BankMapping(order, SIZES)
    seen, at = set(), 0
    fields = [name for name in reversed(order.split()) if name not in ("row", "channel")]
    while at < mapping.region:
        piece = mapping.piece(at, 37)
        for i in range(piece.bursts):
            digits, rest = {}, at + i
            for name in fields:
                rest, digits[name] = divmod(rest, SIZES[name])
            assert (piece.bank, piece.row, (piece.group + i) % 4) == (digits["bank"], rest, digits["group"])
            seen.add((rest, *digits.values()))
        at += piece.bursts
    assert len(seen) == mapping.region


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("row bank column group", "does not cover the address: no `channel`, 16777216 of 268435456 bursts"),
        ("row bank column group rank", "knows no field 'rank'"),
        ("row bank column group channel bank", "names a field twice"),
        ("bank row column group channel", "changes `bank` more slowly than `row`"),
    ],
)
def test_an_order_that_is_no_mapping_is_refused(order: str, told: str) -> None:
    with pytest.raises(MappingError, match="^.*" + told.replace("[", r"\[")):
        BankMapping(order, SIZES)
