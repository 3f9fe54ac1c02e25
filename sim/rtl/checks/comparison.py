"""Two sides of a case: how much was compared, and what differs, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.rtl.checks.bench import Handshakes


def first_difference(wanted: Sequence[int] | NDArray[Any], found: Sequence[int] | NDArray[Any]) -> str | None:
    """Where two lists of cycles part, or None where they are equal."""
    for i, (here, there) in enumerate(zip(wanted, found, strict=False)):
        if here != there:
            return f"handshake {i} in cycle {there}, the simulator has {here}"
    if len(wanted) != len(found):
        return f"{len(found)} handshakes, the simulator has {len(wanted)}"
    return None


@dataclass
class Comparison:
    """Collects what differs in a case.

    Attributes
    ----------
    differences
        In words; none where both sides are equal.
    handshakes, bits
        Handshakes whose cycle was compared, and bits of payload, filled up to whole bytes.
    covered
        How often what is rare occurred, by what it is (coverage.py).
    """

    differences: list[str] = field(default_factory=list)
    handshakes: int = 0
    bits: int = 0
    covered: Counter[str] = field(default_factory=Counter)

    def cycles(self, port: str, wanted: Sequence[int], handshakes: Handshakes) -> None:
        self.handshakes += len(wanted)
        difference = first_difference(wanted, handshakes.cycles)
        if difference:
            self.differences.append(f"{port}: {difference}")

    def payload(self, signal: str, wanted: NDArray[np.bool_], handshakes: Handshakes) -> None:
        """Compare a signal's payload with bits, (handshakes, width)."""
        packed = np.packbits(wanted, axis=1, bitorder="little")
        self.equal(signal, packed, handshakes.payload[signal][:, : packed.shape[1]])

    def probe(
        self, signal: str, cycles: Sequence[int], seen: Handshakes, wanted: NDArray[np.bool_] | None = None
    ) -> None:
        """Compare when something happens inside a design, and its bits; no port of the simulator's, and not counted."""
        inside = Comparison()
        inside.cycles(signal, cycles, seen)
        if wanted is not None:
            inside.payload(signal, wanted, seen)
        self.differences += inside.differences

    def equal(self, signal: str, wanted: NDArray[Any], found: NDArray[Any]) -> None:
        """Compare a signal's payload, (handshakes, bytes or bits)."""
        self.bits += wanted.size * (1 if wanted.dtype == np.bool_ else 8)
        if wanted.shape != found.shape:
            self.differences.append(f"{signal}: {found.shape[0]} records, expected {wanted.shape[0]}")
        elif not np.array_equal(wanted, found):
            record = int(np.flatnonzero((wanted != found).any(axis=1))[0])
            self.differences.append(
                f"{signal}: record {record} is {found[record].tobytes().hex()}, not {wanted[record].tobytes().hex()}"
            )
