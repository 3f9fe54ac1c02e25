"""Replays the commands of a channel one by one against every rule of the timing table; knows nothing of the model.

Rules as JEDEC has them, between any two commands: same bank, same bank group, same channel, and four ACTs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LONG_AGO = -(10**12)
ORDER = {"PRE": 0, "REF": 1, "ACT": 2, "RD": 3, "WR": 3}


@dataclass
class Verdict:
    """Rules that were broken and how often, and the commands that were seen."""

    broken: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    clocks_over_due: int = 0


def replay(t: Mapping[str, int], groups: int, banks: int, commands: Iterable[tuple[int, str, int, int]]) -> Verdict:
    """Replay commands (clock, name, bank, row) in the order of their clocks."""
    verdict = Verdict()
    count = groups * banks
    row = [-1] * count
    act, pre, rd, wr = ([LONG_AGO] * count for _ in range(4))
    acts: list[tuple[int, int]] = []
    refreshed, due = LONG_AGO, t["REFI"]
    columns: list[tuple[int, str, int]] = []

    def rule(name: str, at: int, earliest: int) -> None:
        if at < earliest:
            verdict.broken[name] += 1

    for at, name, bank, wanted in sorted(commands, key=lambda c: (c[0], ORDER[c[1]])):
        verdict.seen[name] += 1
        verdict.clocks_over_due = max(verdict.clocks_over_due, at - due)
        if name == "REF":
            rule("row open at REF", 0, 1 if any(one >= 0 for one in row) else 0)
            for one in range(count):
                rule("tRP before REF", at, pre[one] + t["RP"])
                rule("tRC before REF", at, act[one] + t["RC"])
            rule("tRFC", at, refreshed + t["RFC"])
            refreshed, due = at, due + t["REFI"]
            continue
        group = bank % groups
        if name == "ACT":
            rule("ACT in an open bank", 0, 1 if row[bank] >= 0 else 0)
            rule("tRP", at, pre[bank] + t["RP"])
            rule("tRC", at, act[bank] + t["RC"])
            rule("tRFC", at, refreshed + t["RFC"])
            for other, g in acts[-8:]:
                rule("tRRD_L" if g == group else "tRRD_S", at, other + t["RRDL" if g == group else "RRDS"])
            if len(acts) >= 4:
                rule("tFAW", at, acts[-4][0] + t["FAW"])
            acts.append((at, group))
            row[bank], act[bank] = wanted, at
        elif name == "PRE":
            rule("PRE of a closed bank", 0, 1 if row[bank] < 0 else 0)
            rule("tRAS", at, act[bank] + t["RAS"])
            rule("tRTP", at, rd[bank] + t["RTP"])
            rule("tWR", at, wr[bank] + t["CWL"] + t["BL"] + t["WR"])
            row[bank], pre[bank] = -1, at
        else:
            write = name == "WR"
            rule("wrong row", 0, 1 if row[bank] != wanted else 0)
            rule("tRCD", at, act[bank] + t["RCDWR" if write else "RCDRD"])
            for other, before, g in columns[-40:]:
                same = g == group
                if before == name:
                    long = t["CCDL_WR"] if write else t["CCDL"]
                    rule("tCCD_L" if same else "tCCD_S", at, other + (long if same else t["CCDS"]))
                elif write:
                    rule("tRTW", at, other + t["RTW"])
                else:
                    after = t["WTRL"] if same else t["WTRS"]
                    rule("tWTR_L" if same else "tWTR_S", at, other + t["CWL"] + t["BL"] + after)
            columns.append((at, name, group))
            (wr if write else rd)[bank] = at
    return verdict
