"""What a flat channel reaches of its pins' rate, by the share of reads in what it has just moved.

    share of reads   0 ... 1/2 ... 1        efficiency   writes ... halves ... reads, linear between

A transaction takes as long as 1/efficiency as many bytes would at full rate. The share is that of the last 16
transactions; those before the run count as reads.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import Field

from sim.arch.section import MachineSection
from sim.mapping.operands import ceil_div

LAST = 16
Reached = Annotated[float, Field(gt=0, le=1)]


class EfficiencyKeys(MachineSection):
    """Shares of the pins' rate that are reached; docs/dram.md has those of the standards."""

    reads: Reached = 1.0
    """By nothing but reads."""
    halves: Reached = 1.0
    """Where half of what moves is written."""
    writes: Reached = 1.0
    """By nothing but writes."""


class ChannelEfficiency:
    """The table as fractions: by how many of the last transactions were reads."""

    def __init__(self, keys: EfficiencyKeys) -> None:
        writes, halves, reads = (Fraction(str(share)) for share in (keys.writes, keys.halves, keys.reads))
        half = LAST // 2
        low = [writes + (halves - writes) * count / half for count in range(half)]
        self.of_reads = (*low, *(halves + (reads - halves) * count / half for count in range(half + 1)))
        self.best, self.worst = max(self.of_reads), min(self.of_reads)


class RecentMix:
    """What the last transactions were, and the time that the next one takes."""

    def __init__(self, efficiency: ChannelEfficiency) -> None:
        self.efficiency = efficiency
        self._reads = (1 << LAST) - 1
        """A bit each, set for a read, the last one lowest."""

    def occupied(self, size: int, read: bool) -> int:
        """Take a transaction of so many bytes; as many bytes as would take its time at full rate."""
        self._reads = (self._reads << 1 | read) & (1 << LAST) - 1
        share = self.efficiency.of_reads[self._reads.bit_count()]
        return ceil_div(size * share.denominator, share.numerator)

    def relative_state(self) -> int:
        return self._reads
