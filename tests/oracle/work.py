"""A unit's time: at work until it wakes, or waiting for tokens."""

from __future__ import annotations

from numba import njit

from tests.oracle.records import BUSY, NEVER


@njit
def start(s, unit, now, cycles):
    """Go to work."""
    s.doing[unit] = BUSY
    s.wake[unit] = now + cycles


@njit
def ended(s, unit, now):
    """Whether the unit's work ends now; if so, it waits from now on."""
    if s.wake[unit] != now:
        return False
    s.wake[unit] = NEVER
    return True
