"""One channel, by equations and command by command: the same, and legal by an independent reading of the table."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from sim.units.dram.banks.commands import CommandChannel
from sim.units.dram.banks.rows import RowChannel
from sim.units.dram.banks.standards import standards
from tests.units.banks.building import random_settings, settings, traffic, verdict_of

COUNTS = ("activates", "precharges", "conflicts", "bursts", "turns", "refreshes")


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_equations_and_commands_agree_and_every_command_is_legal(first: int) -> None:
    for seed in range(first, first + 10):
        agree(seed)


def agree(seed: int) -> None:
    """Random traffic on a random channel of both kinds; the soak has thousands."""
    rng = random.Random(seed)
    controller = random_settings(rng)
    rows, commands = RowChannel(controller), CommandChannel(controller)
    seen: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    ends = [0]
    for access in traffic(rng, controller, ends):
        if access.after_rest:
            verdict = verdict_of(commands)
            seen, broken = seen + verdict.seen, broken + verdict.broken
            rows.restart()
            commands.restart()
        one, other = (part.serve(*access[:4]) for part in (rows, commands))
        assert (one, rows.end, rows.last_data) == (other, commands.end, commands.last_data), seed
        assert rows.rows == commands.rows, seed
        ends.append(rows.end)
    verdict = verdict_of(commands)
    seen, broken = seen + verdict.seen, broken + verdict.broken
    assert not broken, (seed, broken)
    assert [getattr(rows, name) for name in COUNTS] == [getattr(commands, name) for name in COUNTS], seed
    assert (seen["ACT"], seen["RD"] + seen["WR"], seen["REF"]) == (rows.activates, rows.bursts, rows.refreshes), seed
    # All banks closed by a refresh are closed by one command for each in the replay.
    assert seen["PRE"] == rows.precharges, seed


@pytest.mark.parametrize("kind", [RowChannel, CommandChannel])
@pytest.mark.parametrize("standard", list(standards()))
def test_a_single_read_takes_activate_and_column_latency(kind: type[RowChannel], standard: str) -> None:
    channel = kind(settings(standard))
    t = channel.t
    # ACT at 100, RD tRCD later
    assert channel.serve(0, 1, 100, False) == 100 + t.RCDRD
    assert channel.last_data == 100 + t.RCDRD + t.CL + t.BL
    # A burst of the same row goes the bus's next slot that its bank group allows; another row of the bank waits for
    # tRAS from the ACT, or tRTP from the last RD, then tRP and tRCD.
    hit = channel.serve(channel.groups, 1, 100, False)
    assert hit == 100 + t.RCDRD + t.CCDL
    other_row = channel.mapping.region
    opened = max(100 + t.RC, max(100 + t.RAS, hit + t.RTP) + t.RP)
    assert channel.serve(other_row, 1, 100, False) == opened + t.RCDRD


@pytest.mark.parametrize("kind", [RowChannel, CommandChannel])
def test_a_stream_runs_at_the_rate_of_the_pins_but_for_refresh(kind: type[RowChannel]) -> None:
    channel = kind(settings())
    t, bursts = channel.t, 128 * 100
    for index in range(bursts // 128):
        channel.serve(128 * index, 128, 0, False)
    # Every refresh interrupts: rows close after the last RD, tRFC, then the first row is opened again.
    stop = t.RTP + t.RP + t.RFC + t.RCDRD
    intervals = (bursts * t.CCDS + t.RCDRD) // (t.REFI - stop)
    assert channel.refreshes == intervals
    ideal = t.RCDRD + bursts * t.CCDS + channel.refreshes * stop
    assert ideal - t.CCDS * channel.refreshes <= channel.end <= ideal + 4 * t.RRDS * channel.refreshes


@pytest.mark.parametrize("kind", [RowChannel, CommandChannel])
def test_a_turn_costs_what_the_table_says(kind: type[RowChannel]) -> None:
    channel = kind(settings())
    t = channel.t
    read = channel.serve(0, 1, 0, False)
    # Another bank, opened long before: only the bus has to turn.
    write = channel.serve(channel.mapping.row_set, 1, 0, True)
    assert write == read + t.RTW
    back = channel.serve(2, 1, 0, False)  # the row is open, another bank group than the write's
    assert back >= write + t.CWL + t.BL + t.WTRS


@pytest.mark.parametrize("kind", [RowChannel, CommandChannel])
def test_a_queue_bounds_how_far_ahead_rows_are_opened(kind: type[RowChannel]) -> None:
    def clocks(places: int) -> int:
        channel = kind(settings(queue_bursts=places))
        rng = random.Random(1)
        for _ in range(60):
            channel.serve(rng.randrange(1 << 18) * 8, 8, 0, False)
        return channel.end

    found = [clocks(places) for places in (8, 16, 40)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


@pytest.mark.parametrize("kind", [RowChannel, CommandChannel])
def test_a_row_that_must_open_late_leaves_whole_slots_to_others(kind: type[RowChannel]) -> None:
    channel = kind(settings("HBM3E"))
    t, groups, row_set = channel.t, channel.groups, channel.mapping.row_set
    # As close as tRRD and tFAW allow: four ACTs, then what is left of tFAW.
    slots = [k // 4 * t.FAW + k % 4 * t.RRDS for k in range(16)]
    channel.serve(0, 2, 0, False)
    channel.serve(channel.mapping.region, 1, 0, False)  # the first one's bank: tRC
    late = min(slot for slot in slots if slot >= t.RC)
    assert channel.act[0] == late > t.RC
    others = [(bank, group) for bank in range(4) for group in range(groups)][2:12]
    for bank, group in others:
        channel.serve(bank * row_set + group, 1, 0, False)
    assert [channel.act[bank * groups + group] for bank, group in others] == slots[2:12]
    assert slots[11] < late


@pytest.mark.parametrize("kind", [RowChannel, CommandChannel])
def test_a_burst_seen_before_a_refresh_is_not_kept_by_others_that_wait_for_a_bank(kind: type[RowChannel]) -> None:
    channel = kind(settings(REFI=1300))
    t = channel.t
    rows = t.REFI // t.RC + 2  # one after the other in one bank: the last is beyond the refresh
    assert rows < channel.settings.queue_bursts
    last = max(channel.serve(row * channel.mapping.region, 1, 0, False) for row in range(rows))
    assert last > channel.due
    assert channel.serve(channel.mapping.row_set, 1, 0, False) < 2 * t.RC
    assert channel.refreshes == 0
    # What comes after it was due waits for it.
    assert channel.serve(channel.mapping.row_set, 1, t.REFI, False) > last + t.RFC
    assert channel.refreshes == 1
