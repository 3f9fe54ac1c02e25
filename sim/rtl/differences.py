"""What differs between two sides, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.rtl.bench import Handshakes


def first_difference(wanted: Sequence[int] | NDArray[Any], found: Sequence[int] | NDArray[Any]) -> str | None:
    """Where two lists of cycles part, or None where they are equal."""
    for i, (here, there) in enumerate(zip(wanted, found, strict=False)):
        if here != there:
            return f"handshake {i} in cycle {there}, the simulator has {here}"
    if len(wanted) != len(found):
        return f"{len(found)} handshakes, the simulator has {len(wanted)}"
    return None


class Differences:
    """Collects what differs in a case."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def cycles(self, port: str, wanted: Sequence[int], handshakes: Handshakes) -> None:
        difference = first_difference(wanted, handshakes.cycles)
        if difference:
            self.found.append(f"{port}: {difference}")

    def bits(self, signal: str, wanted: NDArray[np.bool_], handshakes: Handshakes) -> None:
        """Compare a signal's payload with bits, (handshakes, width)."""
        packed = np.packbits(wanted, axis=1, bitorder="little")
        self.equal(signal, packed, handshakes.payload[signal][:, : packed.shape[1]])

    def equal(self, signal: str, wanted: NDArray[Any], found: NDArray[Any]) -> None:
        if wanted.shape != found.shape:
            self.found.append(f"{signal}: {found.shape[0]} records, expected {wanted.shape[0]}")
        elif not np.array_equal(wanted, found):
            record = int(np.flatnonzero((wanted != found).any(axis=1))[0])
            self.found.append(
                f"{signal}: record {record} is {found[record].tobytes().hex()}, not {wanted[record].tobytes().hex()}"
            )
