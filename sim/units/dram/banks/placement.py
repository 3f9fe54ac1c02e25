"""Where operands lie: each in rows of its own, in the order in which it is fetched or written.

A request begins at a multiple of the next power of two of its bursts, of a row of all bank groups at most, so that
small ones never lie across rows. Operands begin at different banks. Where all rows have been closed by an idle gap, an
operand goes on at its first bank, in a fresh row.
"""

from __future__ import annotations

from sim.units.dram import PORTS, Port
from sim.units.dram.banks.mapping import BankMapping

ROWS = 1 << 40
"""Between operands: more than anybody has."""


class Placement:
    """Burst addresses of the requests of each port, in one channel."""

    def __init__(self, mapping: BankMapping) -> None:
        self.mapping = mapping
        self.first = [port * mapping.banks // len(PORTS) * mapping.row_set for port in PORTS]
        self.next = list(self.first)

    def restart(self) -> None:
        region = self.mapping.region
        self.next = [-(-at // region) * region + first for at, first in zip(self.next, self.first, strict=True)]

    def place(self, port: Port, bursts: int) -> int:
        """The first burst of the next request."""
        unit = min(self.mapping.row_set, 1 << (bursts - 1).bit_length())
        at = -(-self.next[port] // unit) * unit
        self.next[port] = at + bursts
        return int(port) * ROWS * self.mapping.region + at

    def offsets(self) -> tuple[int, ...]:
        """Where the next requests stand among the banks."""
        return tuple(at % self.mapping.region for at in self.next)

    def behind(self, port: Port, first: int) -> int:
        """How far a burst lies behind where the port's next request begins."""
        return self.next[port] + int(port) * ROWS * self.mapping.region - first

    def relative_row(self, row: int) -> int:
        """A row by its distance from where its operand stands, -1 for none; equal for what behaves alike."""
        if row < 0:
            return -1
        port, own = divmod(row, ROWS)
        return (self.next[port] // self.mapping.region - own) * len(PORTS) + port
