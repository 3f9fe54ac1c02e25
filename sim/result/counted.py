"""Figures read off the counters and ledgers of a run, or of several added up."""

from __future__ import annotations

from collections.abc import Mapping

from sim.engine.activity import State
from sim.result import UnitTime

SRAM_BITS = (
    "activation_dispatcher.read_bits",
    "activation_dispatcher.exponent_read_bits",
    "weight_dispatcher.read_bits",
)
SRAM_BYTES = (
    "activation_buffer.filled_bytes",
    "activation_buffer.filled_side_bytes",
    "weight_buffer.filled_bytes",
)


def unit_times(states: Mapping[str, Mapping[State, int]]) -> dict[str, UnitTime]:
    """Cycles by unit and state in the words of a result; causes that never occurred are left out."""
    return {
        unit: UnitTime(
            busy_cycles=cycles[State.BUSY],
            idle_cycles=cycles[State.IDLE],
            stalled_cycles={s.name.lower(): n for s, n in cycles.items() if n and s not in (State.BUSY, State.IDLE)},
        )
        for unit, cycles in states.items()
    }


def dram_bytes(counters: Mapping[str, int]) -> int:
    """Bytes from and to DRAM."""
    return sum(counters.get(f"dram.{side}_bytes", 0) for side in ("weight", "activation", "output"))


def sram_bytes(counters: Mapping[str, int]) -> int:
    """Bytes read from and written into both buffers; bits of a byte begun count as a byte."""
    bits = sum(counters.get(name, 0) for name in SRAM_BITS)
    return -(-bits // 8) + sum(counters.get(name, 0) for name in SRAM_BYTES)
