"""Bytes of a workload's weights in memory: as their width claims, and in truth.

    claimed   bits of a code, times the weights
    stored    scales, zero points, minimums, and what fills up blocks and planes that are not read, too

Every matrix counts once, however often it is multiplied; keys and values are no weights.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StoredWeights:
    """How many weights there are, and their bytes."""

    weights: int
    claimed_bytes: int
    stored_bytes: int

    @property
    def claimed_bits(self) -> float:
        """A weight."""
        return 8 * self.claimed_bytes / self.weights

    @property
    def stored_bits(self) -> float:
        """A weight."""
        return 8 * self.stored_bytes / self.weights
