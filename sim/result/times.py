"""The ledgers of a run, or of several added up, in the words of a result."""

from __future__ import annotations

from collections.abc import Mapping

from sim.engine.activity import State
from sim.result import UnitTime


def unit_times(states: Mapping[str, Mapping[State, int]]) -> dict[str, UnitTime]:
    """Cycles by unit and state; causes that never occurred are left out."""
    return {
        unit: UnitTime(
            busy_cycles=cycles[State.BUSY],
            idle_cycles=cycles[State.IDLE],
            stalled_cycles={s.name.lower(): n for s, n in cycles.items() if n and s not in (State.BUSY, State.IDLE)},
        )
        for unit, cycles in states.items()
    }
