"""Where a stream of bursts lies: an order of address fields, as data.

    row bank column group channel        the rightmost changes first

A burst address of one channel counts through the fields from the right, the channel left out. A piece is a stretch of
it in one row of a bank index, over bank groups in turn where the groups change first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FIELDS = ("row", "bank", "column", "group", "channel")


class MappingError(Exception):
    """What an order of fields lacks."""


class BankPiece(NamedTuple):
    """Bursts in one row of a bank index: the first in `group`, the others in the groups after it, round and round."""

    bank: int
    row: int
    group: int
    bursts: int


class BankMapping:
    """An order of fields over the sizes of a channel.

    Parameters
    ----------
    order
        Names of FIELDS, the slowest first.
    sizes
        Of the fields; rows are endless here, as capacity is checked elsewhere.

    Raises
    ------
    MappingError
        Where a field is missing, unknown or twice, or rows are not the slowest.
    """

    def __init__(self, order: str, sizes: Mapping[str, int]) -> None:
        names = order.split()
        missing = [name for name in FIELDS if name not in names]
        others = [name for name in names if name not in FIELDS]
        if others:
            raise MappingError(f"knows no field {others[0]!r}")
        if missing:
            covered = 1
            for name in set(names):
                covered *= sizes[name]
            wanted = covered * sizes[missing[0]]
            problem = f"does not cover the address: no `{missing[0]}`, {covered} of {wanted} bursts"
            raise MappingError(problem)
        if len(names) != len(FIELDS):
            raise MappingError(f"names a field twice: {len(names)} fields, {len(FIELDS)} of the address")
        if names[0] != "row":
            raise MappingError(f"changes `{names[0]}` more slowly than `row`, which a stream would never reach")
        self.groups = sizes["group"]
        self.columns = sizes["column"]
        self.banks = sizes["bank"]
        self.channels_below = 1
        """Bursts that go to a channel before the next one has its turn."""
        for name in reversed(names[names.index("channel") + 1 :]):
            self.channels_below *= sizes[name]
        self._inner = [(name, sizes[name]) for name in reversed(names) if name not in ("row", "channel")]
        self.rotates = self._inner[0][0] == "group"
        self._usual = [name for name, _ in self._inner] == ["group", "column", "bank"]
        self.region = self.groups * self.columns * self.banks
        """Bursts of one row of every bank: what a stream goes through before it comes back to a bank."""

    @property
    def row_set(self) -> int:
        """Bursts of a row of one bank index, all groups of it."""
        return self.groups * self.columns

    def piece(self, first: int, bursts: int) -> BankPiece:
        """The longest piece that begins with burst `first`, of `bursts` at most."""
        if self._usual:
            per_row = self.groups * self.columns
            line, within = divmod(first, per_row)
            row, bank = divmod(line, self.banks)
            left = per_row - within
            return BankPiece(bank, row, within % self.groups, bursts if bursts < left else left)
        digits, rest, reach, run = {}, first, 1, 0
        for name, size in self._inner:
            rest, digits[name] = divmod(rest, size)
            if not run and name == "bank":
                run = reach - first % reach
            reach *= size
        run = run or reach - first % reach
        if not self.rotates:
            run = 1
        return BankPiece(digits["bank"], rest, digits["group"], min(bursts, run))
