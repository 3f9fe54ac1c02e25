"""Traffic of the comparison, drawn with a seed: streams, mixes, scattered pages, paced loops, many channels."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sim.units.dram.banks.standards import Standard, standards

SEED = 20261122
"""Drawn after the model was frozen."""
BURSTS = 16000
QUICK_BURSTS = 4000
"""Of traffic in single bursts, which takes longest."""
FAR = 1024
"""Rows of all banks between the operands of a loop."""


class ChannelRun(NamedTuple):
    channel: int
    first: int
    bursts: int


class Transfer(NamedTuple):
    """One transaction of a port: from when it may start, and its bursts in each channel."""

    port: int
    arrival: int
    write: bool
    runs: tuple[ChannelRun, ...]


@dataclass(frozen=True)
class DramCase:
    """Traffic for one standard.

    Parameters
    ----------
    windows
        Transactions that each port may have unfinished; 0 for as many as the controller takes, in order.
    """

    name: str
    standard: str
    kind: str
    channels: int
    windows: tuple[int, ...]
    transfers: tuple[Transfer, ...]

    @property
    def bursts(self) -> int:
        """Of the busiest channel."""
        counts = [0] * self.channels
        for transfer in self.transfers:
            for run in transfer.runs:
                counts[run.channel] += run.bursts
        return max(counts)


def cases() -> Iterator[DramCase]:
    """All cases, standard by standard."""
    for name, row in standards().items():
        rng = random.Random(f"{SEED} {name}")
        yield from _saturated(name, row, rng)
        yield from _loops(name, row, rng)


def _region(row: Standard) -> int:
    return row.columns * row.groups * row.banks


def _one(transfers: list[Transfer]) -> tuple[int, tuple[int, ...], tuple[Transfer, ...]]:
    return 1, (0,), tuple(transfers)


def _saturated(name: str, row: Standard, rng: random.Random) -> Iterator[DramCase]:
    for write in (False, True):
        size = rng.choice((64, 128, 256))
        transfers = [Transfer(0, 0, write, (ChannelRun(0, i * size, size),)) for i in range(BURSTS // size)]
        yield DramCase(f"{'write' if write else 'read'} stream of {size}", name, "stream", *_one(transfers))
    for percent in (93, 83, 72, 58):
        reads, writes = rng.choice((32, 80, 192)), rng.choice((16, 48, 128))
        apart = rng.randrange(1, row.banks)
        transfers = _mixed(row, percent, reads, writes, apart)
        text = f"{percent}:{100 - percent}, reads of {reads}, writes of {writes}, {apart} banks apart"
        yield DramCase(text, name, "mix", *_one(transfers))
    for size in (1, 3, 12, 24, 96):
        count = (QUICK_BURSTS if size < 4 else BURSTS) // size
        places = [rng.randrange(4096 * _region(row) // size) * size for _ in range(count)]
        transfers = [Transfer(0, 0, False, (ChannelRun(0, at, size),)) for at in places]
        yield DramCase(f"scattered reads of {size}", name, "scattered", *_one(transfers))


def _mixed(row: Standard, percent: int, reads: int, writes: int, apart: int) -> list[Transfer]:
    """A stream of reads and one of writes in one sequence."""
    found, read, written = [], 0, 0
    base = 2 * FAR * _region(row) + apart * row.columns * row.groups
    while read + written < BURSTS:
        if read * (100 - percent) <= written * percent:
            found.append(Transfer(0, 0, False, (ChannelRun(0, read, reads),)))
            read += reads
        else:
            found.append(Transfer(0, 0, True, (ChannelRun(0, base + written, writes),)))
            written += writes
    return found


LOOPS = {
    "weights": (256, 0, 0),
    "weights and activations": (192, 64, 0),
    "with outputs": (192, 64, 32),
    "half writes": (128, 0, 128),
}


def _loops(name: str, row: Standard, rng: random.Random) -> Iterator[DramCase]:
    """Blocks of operands asked for at a pace, by ports with windows as loaders and a writer have them."""
    for what, loads in LOOPS.items():
        share = rng.choice((0.45, 0.75, 0.95, 9.0))
        chunk, window = rng.choice((16, 32, 64)), rng.choice((2, 4, 8))
        channels = rng.choice((1, 1, 2, 8, 16)) if row.channels > 1 else rng.choice((1, 2, 4))
        pace = f"at {share:.0%} of the pins" if share < 1 else "as fast as it goes"
        text = f"{what} in chunks of {chunk}, {pace}, {window} at a time, {channels} channels"
        transfers = tuple(_loop(row, loads, share, chunk, channels))
        yield DramCase(text, name, "loop", channels, (window, window, 1), transfers)


def _loop(row: Standard, loads: tuple[int, int, int], share: float, chunk: int, channels: int) -> Iterator[Transfer]:
    set_, region, at = row.columns * row.groups, _region(row), [0, 0, 0]
    period = sum(loads) * row.clocks["CCDS"] / share
    for block in range(BURSTS // 2 // sum(loads)):
        for port, size in enumerate(loads):
            for _ in range(size // chunk):
                first = (port * FAR * region) + (port * row.banks // 3) * set_ + at[port]
                runs = tuple(ChannelRun(channel, first, chunk) for channel in range(channels))
                yield Transfer(port, int(block * period), port == 2, runs)
                at[port] += chunk
