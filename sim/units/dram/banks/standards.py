"""The DRAM standards there are: the rows of standards.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from sim.errors import Place
from sim.yaml_reader import parse

FILE = Path(__file__).with_name("standards.yaml")


@dataclass(frozen=True)
class Standard:
    """One row.

    Parameters
    ----------
    channels
        Of a stack or module, each with its own commands.
    columns
        Bursts of a row.
    banks
        Of a bank group.
    act_slots, cas_slots
        Clocks of a shared command bus that opening a row and moving a burst take; 0 where rows have a bus of their own.
    clocks
        Timings at the standard's own pin rate.
    currents
        Of a device in milliamperes, with its volts and devices a channel; None where nobody publishes them.
    """

    pin_gigabits_per_second: float
    bits_per_pin_and_clock: int
    channels: int
    channel_bits: int
    burst_bytes: int
    groups: int
    banks: int
    columns: int
    rows: int
    clocks: Mapping[str, int]
    source: Mapping[str, str]
    act_slots: int = 0
    cas_slots: int = 0
    currents: Mapping[str, float] | None = None

    @property
    def channel_bytes(self) -> int:
        """Capacity of a channel."""
        return self.groups * self.banks * self.rows * self.columns * self.burst_bytes

    def clock_hertz(self, pin_gigabits_per_second: float) -> Fraction:
        """Clock of the commands."""
        return Fraction(str(pin_gigabits_per_second)) * 10**9 / self.bits_per_pin_and_clock


@cache
def standards() -> Mapping[str, Standard]:
    """All standards by name."""
    rows: dict[str, dict[str, Any]]
    rows, _ = parse(FILE.read_text(), lambda _: Place(FILE.name))
    return {name: Standard(**row) for name, row in rows.items()}
