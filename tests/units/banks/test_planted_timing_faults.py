"""The checker finds every timing that a channel takes for shorter than it is, a lost refresh, and a batch too long."""

from __future__ import annotations

import random

import pytest

from sim.units.dram.banks.commands import CommandChannel
from sim.units.dram.banks.writes import WriteBuffer
from tests.units.banks.building import settings, verdict_of

FAULTS = {
    "RCDRD": "tRCD",
    "RCDWR": "tRCD",
    "RP": "tRP",
    "RC": "tRC",
    "RAS": "tRAS",
    "RTP": "tRTP",
    "WR": "tWR",
    "CCDL": "tCCD_L",
    "RRDS": "tRRD_S",
    "RRDL": "tRRD_L",
    "FAW": "tFAW",
    "WTRS": "tWTR_S",
    "WTRL": "tWTR_L",
    "RTW": "tRTW",
    "RFC": "tRFC",
}
# Which timing is the longest decides which one shows: a table in which each is, once in a while.
TABLE = {"RRDS": 4, "RRDL": 9, "FAW": 22, "RC": 58, "RAS": 40, "WTRL": 14, "RTP": 9}


def driven(*, buffer: type[WriteBuffer] = WriteBuffer, refreshes: bool = True, **faults: int) -> CommandChannel:
    """A channel that reads and writes here and there, a timing of which may be wrong."""
    channel = CommandChannel(settings(**(TABLE | faults)))
    writes = buffer(channel, 32, 26, 6)
    rng = random.Random(5)
    if not refreshes:
        channel.due = 10**9
    for _ in range(400):
        first = rng.randrange(1 << 9) * rng.choice((1, 3, 4, 512))
        if rng.random() < 0.4:
            writes.take(first, rng.choice((1, 2, 8)), channel.end)
        else:
            channel.serve(first, rng.choice((1, 1, 2, 4, 32)), channel.end - rng.choice((0, 40)), False)
        while n := writes.due(reads_wait=True):
            writes.drain(n)
    return channel


def test_without_a_fault_nothing_is_found() -> None:
    verdict = verdict_of(driven())
    assert not verdict.broken
    assert 0 < verdict.clocks_over_due < 400  # what was under way, and rows that close


@pytest.mark.parametrize("fault", FAULTS)
def test_a_timing_one_clock_short_is_found(fault: str) -> None:
    channel = driven()
    true = channel.t
    channel = driven(**{fault: getattr(true, fault) - 1})
    assert verdict_of(channel, true).broken[FAULTS[fault]]


def test_a_lost_refresh_is_found() -> None:
    assert verdict_of(driven(refreshes=False)).clocks_over_due > 3900


class Greedy(WriteBuffer):
    """Goes on writing as long as anything waits."""

    def due(self, reads_wait: bool) -> int:
        return self.buffered if self.buffered > self.high else 0


def longest_batch(buffer: type[WriteBuffer]) -> int:
    """Of writes between two reads on the bus, where as many are read as written."""
    channel = CommandChannel(settings())
    writes = buffer(channel, 32, 26, 6)
    for index in range(60):
        writes.take(1024 + 8 * index, 8, channel.end)
        while n := writes.due(reads_wait=True):
            writes.drain(n)
        channel.serve(8 * index, 8, channel.end, False)
    longest = run = 0
    for command in sorted(channel.issued):
        run = run + 1 if command.name == "WR" else 0 if command.name == "RD" else run
        longest = max(longest, run)
    return longest


def test_a_write_batch_too_long_is_found() -> None:
    # The batch begins where 24 wait and 8 more come, and leaves 6 of the 32; later ones begin at 30 and leave 6 again.
    allowed = 32 - 6
    assert longest_batch(WriteBuffer) == allowed < longest_batch(Greedy)
