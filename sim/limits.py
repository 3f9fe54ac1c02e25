"""What limits a run: the unit that is never free, and why.

A run goes as fast as its busiest unit lets it. Where that is the MXU, the question is how much of it works: rows
without a token and columns without an output cost as much time as the others. Where no unit is busy most of the
time, latency is what is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sim.engine.activity import State
from sim.units.catalogue import unit_label, unit_of

HALF = 0.5


@dataclass(frozen=True)
class Occupancy:
    """Share of the MXU's rows, columns and K positions that had work, over the time it was busy."""

    rows: float = 1.0
    columns: float = 1.0
    row_count: int = 1
    column_count: int = 1


@dataclass(frozen=True)
class Limit:
    """The limiting unit, the cause in two words, and a sentence."""

    unit: str
    cause: str
    text: str


def limit_of(states: Mapping[str, Mapping[State, int]], cycles: int, occupancy: Occupancy) -> Limit:
    """What limits a run of `cycles` in which the units spent their time as `states` says."""
    shares = {unit: states[unit][State.BUSY] / cycles for unit in _candidates() if unit in states}
    unit = max(shares, key=lambda name: shares[name])
    busy = shares[unit]
    if busy < HALF:
        return _latency(states, cycles, unit)
    words = unit_of()[unit].bottleneck
    if words is not None:
        return Limit(unit, words.cause, words.text(unit_label(unit), busy))
    if occupancy.rows < HALF:
        working = occupancy.rows * occupancy.row_count
        text = f"row occupancy: {working:.3g} of {occupancy.row_count} rows work; more tokens at a time would use them"
        return Limit(unit, "row occupancy", text)
    if occupancy.columns < HALF:
        working = occupancy.columns * occupancy.column_count
        return Limit(
            unit, "column occupancy", f"column occupancy: {working:.4g} of {occupancy.column_count} columns work"
        )
    return Limit(unit, "compute", f"compute: the MXU is busy {busy:.0%} of the time")


@cache
def _candidates() -> tuple[str, ...]:
    """Units that can limit a run; of equally busy ones the first is named, and the MXU before what feeds it."""
    return ("mxu", *(name for name, unit in unit_of().items() if unit.bottleneck is not None))


def _latency(states: Mapping[str, Mapping[State, int]], cycles: int, busiest: str) -> Limit:
    waiting = states.get("mxu", states.get("vector", {}))
    stalls = {state: n for state, n in waiting.items() if state not in (State.BUSY, State.IDLE) and n}
    cause = max(stalls, key=lambda state: stalls[state]).name.lower() if stalls else "launch"
    share = states[busiest][State.BUSY] / cycles
    text = f"latency: no unit is busy half of the time ({busiest} {share:.0%}); mostly waiting for {cause}"
    return Limit(busiest, f"latency ({cause})", text.replace("_", " "))
