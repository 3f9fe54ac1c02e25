"""The controller of one channel: what it serves next to what, told without a word about how slots are found.

    queue     a burst is seen when it has arrived and one of `queue_bursts` places is free; it leaves its place with its
              RD or WR, or with its ACT where it opens a bank
    run       bursts in one row of a bank index go back to back as soon as the last of them would not wait for its bank;
              a short run that finds its row closed, or just opened, goes burst by burst, as first-ready scheduling
              would have it
    beat      ACTs take slots that follow one another as closely as tRRD and tFAW allow, counted from one that nobody
              was waiting beside: a row that must open late leaves whole slots before it to others
    gaps      slots of the bus that a run had to leave free are filled by later runs that are ready
    turn      reads and writes do not mix: the other direction begins behind everything
    refresh   from its due time on nothing new; all rows close; `refresh` clocks. Of bursts that go one by one, those
              that were seen before it are not new, however long they wait for their banks
    idle      an idle gap that holds a refresh closes all rows and pays it: the channel begins anew (`restart`)

A subclass finds the slots: RowChannel by equations, CommandChannel command by command.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from sim.units.dram.banks.mapping import BankMapping, BankPiece
from sim.units.dram.banks.timings import BankTimings

NEVER = -(10**9)
SHORT_RUN, SINGLES = 4, 2
"""Rounds over the bank groups that a run is short within, and rounds of it that go burst by burst."""


@dataclass(frozen=True)
class BankSettings:
    """What a controller is.

    Parameters
    ----------
    closed_page
        Whether a row closes behind every run.
    act_slots, cas_slots
        Clocks of a shared command bus that opening a row and moving a burst take.
    wake_clocks
        From the first sight after an idle gap to the first ACT: the way out of power-down.
    """

    timings: BankTimings
    mapping: BankMapping
    queue_bursts: int
    closed_page: bool
    act_slots: int = 0
    cas_slots: int = 0
    wake_clocks: int = 0


class BankCommand(NamedTuple):
    """One command on its way to a channel: ACT, PRE, RD, WR or REF, which takes all banks."""

    clock: int
    name: str
    bank: int
    """Index over groups and banks; -1 for all."""
    row: int


class BankChannel(ABC):
    """State and policy of one channel."""

    def __init__(self, settings: BankSettings) -> None:
        self.settings = settings
        self.t, self.mapping = settings.timings, settings.mapping
        self.groups, self.step = self.mapping.groups, settings.timings.CCDS
        self.activates = self.precharges = self.conflicts = self.bursts = self.turns = self.refreshes = 0
        self.back_to_back = self.mapping.rotates and self.groups * self.step >= max(self.t.CCDL, self.t.CCDL_WR)
        """Whether bursts that go round the bank groups never wait for one another."""
        self.fills = tuple(self.t.column_same_group(write) <= 2 * self.step for write in (False, True))
        """By direction, reads first: whether gaps are filled; only neighbours on the bus may then be too close."""
        self.restart()

    def restart(self) -> None:
        """Begin anew at clock 0: all rows closed, nothing under way, the next refresh a whole interval ahead."""
        self.end = 0
        """End of the schedule on the bus, as slots of RD and WR."""
        self.fence = 0
        """No gap before it may be filled."""
        self.writing = False
        self.hole = NEVER
        """End of the last slots that a piece left free before it."""
        self.due = self.t.REFI
        banks = self.groups * self.mapping.banks
        self.rows, self.act = [-1] * banks, [NEVER] * banks
        """By bank: its open row, and the clock of its last ACT."""
        self.anchor = self.floor = NEVER
        """An ACT that the slots of ACTs count from, and the clock before which they count from another."""
        self.held: list[tuple[int, int, int]] = []
        """Bursts in the queue: when the first leaves, when the last leaves, how many."""
        self.holding, self.seen = 0, NEVER
        self.command_end = NEVER
        self.last_data = 0
        """When all data have moved and all rows that close by themselves are closed."""

    def serve(self, first: int, bursts: int, arrival: int, write: bool) -> int:
        """Place a run of bursts behind and between what is there.

        Parameters
        ----------
        first
            Burst address in this channel.
        arrival
            Clock from which the controller knows of it.

        Returns
        -------
        The clock of the last RD or WR.
        """
        if write != self.writing:
            self._turn(write)
        last = NEVER
        while bursts:
            piece = self.mapping.piece(first, bursts)
            n = piece.bursts
            if n > 1 and self._one_by_one(piece, arrival, write):
                n = min(n, SINGLES * self.groups)
                for i in range(n):
                    single = piece._replace(group=(piece.group + i) % self.groups, bursts=1)
                    last = max(last, self._between_refreshes(single, arrival, write))
            else:
                last = max(last, self._between_refreshes(piece, arrival, write))
            first += n
            bursts -= n
        self.last_data = max(self.last_data, last + (self.t.CWL if write else self.t.CL) + self.t.BL)
        return last

    def _one_by_one(self, piece: BankPiece, arrival: int, write: bool) -> bool:
        """Whether the bursts of a run look for slots each by itself: they, or other runs, would wait otherwise."""
        bank, row, group, n = piece
        if not self.back_to_back:
            return True
        short = SHORT_RUN * self.groups
        if n > short:
            return False
        if self.rows[bank * self.groups + group] != row:
            return True
        if n == short:
            return False
        # Slots before the end of the schedule are lost only where there are any.
        start = max(arrival, self._sight())
        if self.hole <= start:
            start = max(start, self.end)
        start -= self.t.RCDWR if write else self.t.RCDRD
        acts = self.act[bank * self.groups : (bank + 1) * self.groups]
        return any(acts[(group + i) % self.groups] > start + i * self.step for i in range(min(n, self.groups)))

    def _between_refreshes(self, piece: BankPiece, arrival: int, write: bool) -> int:
        last, left = NEVER, piece
        while True:
            sight = max(arrival, self._sight())
            # A burst alone may have a place before the end of the schedule.
            start = sight if left.bursts == 1 else max(sight, self.end)
            if start >= self.due:
                self._refresh()
                continue
            before = -((start - self.due) // self.step)
            now = left if before >= left.bursts else left._replace(bursts=before)
            last = max(last, self._placed(now, sight, write))
            if now is left:
                return last
            group = (left.group + before) % self.groups
            left = left._replace(group=group, bursts=left.bursts - before)

    def _placed(self, piece: BankPiece, sight: int, write: bool) -> int:
        end = self.end
        last = self._place(piece, sight, write)
        if self.end - piece.bursts * self.step > end:
            self.hole = self.end - piece.bursts * self.step
        self.bursts += piece.bursts
        if self.settings.closed_page:
            touched = {(piece.group + i) % self.groups for i in range(min(piece.bursts, self.groups))}
            closed = self._close([piece.bank * self.groups + group for group in sorted(touched)])
            self.last_data = max(self.last_data, closed)
        return last

    def _sight(self) -> int:
        """When the next burst finds a place in the queue, by when those in it leave."""
        held, seen = self.held, self.seen
        most = self.settings.queue_bursts
        while self.holding >= most:
            first, last, n = held[0]
            need = self.holding - most + 1
            if n > need:
                seen = max(seen, first + (need - 1) * self.step)
                # Times before the one that is seen are of no concern, and n keeps its last.
                heappop(held)
                heappush(held, (first + need * self.step, last, n - need))
                self.holding -= need
            else:
                seen = max(seen, last)
                heappop(held)
                self.holding -= n
        self.seen = seen
        return seen

    def _hold(self, opened: int, last_act: int, last: int, n: int) -> None:
        """Note when the bursts of a piece leave the queue."""
        if opened:
            heappush(self.held, (last_act, last_act, opened))
        if n > opened:
            heappush(self.held, (last - (n - opened - 1) * self.step, last, n - opened))
        self.holding += n

    def _command_bus(self, opened: int, n: int, sight: int) -> int:
        """The first slot of a run whose last is not before the shared command bus has taken all of its commands."""
        if not self.settings.cas_slots:
            return NEVER
        busy = opened * self.settings.act_slots + n * self.settings.cas_slots
        self.command_end = max(self.command_end, sight) + busy
        return self.command_end - n * self.step

    def _turn(self, write: bool) -> None:
        self.turns += 1
        self.writing = write
        gap = self.t.RTW if write else self.t.CWL + self.t.BL + self.t.WTRS
        self.end = max(self.end, self.end - self.step + gap)
        self.fence, self.hole = self.end, NEVER
        self._turned()

    def _refresh(self) -> None:
        """The refresh that is due: not before the bus has rested and every bank may close."""
        self.refreshes += 1
        opened = [bank for bank, row in enumerate(self.rows) if row >= 0]
        at = self._rest(max(self.due, self.end - self.step + 1), opened)
        self.precharges += len(opened)
        self.rows = [-1] * len(self.rows)
        self.end = self.fence = max(self.end, at + self.t.RFC)
        self.hole = NEVER
        self.due += self.t.REFI

    def opened(self, bank: int) -> None:
        """Count what a burst found that did not find its row: another row, or none."""
        self.activates += 1
        if self.rows[bank] >= 0:
            self.precharges += 1
            self.conflicts += 1

    @abstractmethod
    def _place(self, piece: BankPiece, sight: int, write: bool) -> int:
        """Open the banks of a piece and place its bursts; the clock of the last."""

    @abstractmethod
    def _close(self, banks: list[int]) -> int:
        """Close these rows as soon as they may be; when that is done."""

    @abstractmethod
    def _turned(self) -> None:
        """The direction has changed."""

    @abstractmethod
    def _rest(self, since: int, opened: list[int]) -> int:
        """Close all rows, not before `since`, and refresh; the clock of the REF."""
