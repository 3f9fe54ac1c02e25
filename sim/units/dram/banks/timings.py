"""The clocks that a channel waits between its commands, named as JEDEC names them (tRCD of reads is `RCDRD`)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import NamedTuple

KEEPS_CLOCKS = frozenset({"BL", "CCDS", "CCDL", "CCDL_WR"})
"""Set by how much a column access fetches; the others are times, whatever the clock."""


class BankTimings(NamedTuple):
    """Of one channel, in its clocks."""

    BL: int
    """A burst on the data bus."""
    CL: int
    CWL: int
    RCDRD: int
    RCDWR: int
    RP: int
    RAS: int
    RC: int
    WR: int
    RTP: int
    CCDS: int
    CCDL: int
    CCDL_WR: int
    RRDS: int
    RRDL: int
    FAW: int
    WTRS: int
    WTRL: int
    RTW: int
    """From a read command to a write command, the turn of the data bus with it."""
    RFC: int
    REFI: int
    XP: int

    @property
    def write_to_precharge(self) -> int:
        return self.CWL + self.BL + self.WR

    def column_same_group(self, write: bool) -> int:
        """From a column command to the next of its bank group."""
        return self.CCDL_WR if write else self.CCDL

    @property
    def refresh_stop(self) -> int:
        """A whole refresh of an open channel: last write recovered, rows closed, refreshed."""
        return self.RTP + self.RP + self.RFC + self.write_to_precharge


def at_pin_rate(clocks: Mapping[str, int], rate: float, own: float) -> dict[str, int]:
    """Clocks at another pin rate than a standard's own.

    Times are rounded up; tRC is never less than its two parts, and the turn of the bus from RD to WR leaves as many
    clocks between their data.
    """
    faster = Fraction(str(rate)) / Fraction(str(own))
    scaled = {name: n if name in KEEPS_CLOCKS else ceil(n * faster) for name, n in clocks.items()}
    turn = clocks["RTW"] - clocks["CL"] + clocks["CWL"]
    return scaled | {
        "RC": max(scaled["RC"], scaled["RAS"] + scaled["RP"]),
        "RTW": scaled["CL"] - scaled["CWL"] + turn,
    }


def contradictions(t: BankTimings) -> list[tuple[str, str, str]]:
    """Timings that no device can have together: the key, what is found, and what it needs."""
    least = (
        ("RC", t.RC, "RAS + RP", t.RAS + t.RP),
        ("RAS", t.RAS, "RCDRD", t.RCDRD),
        ("CCDS", t.CCDS, "BL", t.BL),
        ("CCDL", t.CCDL, "CCDS", t.CCDS),
        ("CCDL_WR", t.CCDL_WR, "CCDS", t.CCDS),
        ("RRDL", t.RRDL, "RRDS", t.RRDS),
        ("FAW", t.FAW, "RRDS", t.RRDS),
        ("WTRL", t.WTRL, "WTRS", t.WTRS),
        ("REFI", t.REFI, "2 x (RTP + RP + RFC + CWL + BL + WR)", 2 * t.refresh_stop),
    )
    return [
        (name, f"found {found}", f"at least {of} = {needed}") for name, found, of, needed in least if found < needed
    ]
