"""The write buffer of a channel: when writes go, and when a write is done."""

from __future__ import annotations

from collections import deque
from typing import Any

from sim.units.dram.banks.policy import BankChannel


class WriteBuffer:
    """Writes of one channel, first in, first out.

    A write is posted: it is done when its last burst has a place. A burst leaves its place with its WR.

    Parameters
    ----------
    places
        Bursts.
    high
        More than this begin a batch.
    low
        What a batch leaves behind.
    """

    def __init__(self, channel: BankChannel, places: int, high: int, low: int) -> None:
        self.channel, self.places, self.high, self.low = channel, places, high, low
        self.waiting: deque[list[int]] = deque()
        """First burst, bursts left, arrival."""
        self.buffered = self.taken = self.left = 0
        self._leaving: deque[tuple[int, int, int]] = deque()
        """Bursts that had left after it, clock of its last WR, bursts."""

    def restart(self) -> None:
        """All that left is long gone."""
        self._leaving.clear()

    def take(self, first: int, bursts: int, arrival: int) -> int:
        """Take a write; its mark for `placed`."""
        self.waiting.append([first, bursts, arrival])
        self.buffered += bursts
        self.taken += bursts
        return self.taken

    def due(self, reads_wait: bool) -> int:
        """How many bursts should be written before the next read."""
        batch = self.buffered - self.low
        if self.buffered > self.high or (self.channel.writing and batch > 0):
            return batch
        return 0 if reads_wait else self.buffered

    def drain(self, bursts: int) -> None:
        """Write so many."""
        self.buffered -= bursts
        while bursts:
            head = self.waiting[0]
            n = min(bursts, head[1])
            last = self.channel.serve(head[0], n, head[2], True)
            self.left += n
            self._leaving.append((self.left, last, n))
            head[0], head[1] = head[0] + n, head[1] - n
            bursts -= n
            if not head[1]:
                self.waiting.popleft()

    def placed(self, mark: int) -> int | None:
        """The clock at which the last burst of a write has its place, or None where that is not settled."""
        index = mark - self.places
        if index > self.left:
            return None
        while self._leaving and self._leaving[0][0] < index:
            self._leaving.popleft()
        if not self._leaving or self._leaving[0][0] - self._leaving[0][2] >= index:
            return 0
        after, last, _ = self._leaving[0]
        return last - (after - index) * self.channel.step

    def relative_state(self, now: int, since: int) -> tuple[Any, ...]:
        """What the future depends on, clocks from `now`; addresses left out, and arrivals before `since` are alike."""
        return (
            tuple((bursts, max(arrival, since) - now) for _, bursts, arrival in self.waiting),
            self.taken - self.left,
            # A place that is free by now is free.
            tuple(
                (self.taken - after, last - now, n)
                for after, last, n in self._leaving
                if last > now and self.taken - after < self.places
            ),
        )
