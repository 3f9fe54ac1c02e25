"""Point-to-point connections of units: one producer, one consumer, a bounded number of places.

while not channel.items:
    yield activity.wait(channel.filled(), State.WEIGHTS)
item = channel.pop()
"""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, TypeVar

from simpy.events import Event

from sim.engine.environment import Environment

Item = TypeVar("Item")


class Channel(Generic[Item]):
    """A FIFO of registers. Put in when `has_space`, pop when there are `items`."""

    __slots__ = ("_environment", "_filled", "_freed", "capacity", "items")

    def __init__(self, environment: Environment, capacity: int | None = None) -> None:
        self._environment = environment
        self.capacity = capacity
        self.items: deque[Item] = deque()
        self._filled: Event | None = None
        self._freed: Event | None = None

    @property
    def has_space(self) -> bool:
        return self.capacity is None or len(self.items) < self.capacity

    def put(self, item: Item) -> None:
        if not self.has_space:
            raise OverflowError("a channel was filled beyond its capacity")
        self.items.append(item)
        if self._filled is not None:
            event, self._filled = self._filled, None
            event.succeed()

    def pop(self) -> Item:
        item = self.items.popleft()
        if self._freed is not None:
            event, self._freed = self._freed, None
            event.succeed()
        return item

    def filled(self) -> Event:
        """The event of the next item; for the consumer, when there is none."""
        self._filled = Event(self._environment)
        return self._filled

    def freed(self) -> Event:
        """The event of the next pop; for the producer, when there is no space."""
        self._freed = Event(self._environment)
        return self._freed


class Credits:
    """Space that a producer takes before it sends and the consumer gives back: bytes, registers, slots."""

    __slots__ = ("_environment", "_given", "available", "capacity")

    def __init__(self, environment: Environment, capacity: int) -> None:
        self._environment = environment
        self.available = self.capacity = capacity
        self._given: Event | None = None

    def take(self, amount: int = 1) -> None:
        if amount > self.available:
            raise OverflowError("credits were taken that nobody gave")
        self.available -= amount

    def give(self, amount: int = 1) -> None:
        self.available += amount
        if self.available > self.capacity:
            raise OverflowError("more credits were given back than there are")
        if self._given is not None:
            event, self._given = self._given, None
            event.succeed()

    def given(self) -> Event:
        """The event of the next return; for the producer, when there are too few."""
        self._given = Event(self._environment)
        return self._given

    def relative_state(self) -> tuple[Any, ...]:
        """What is left, and who waits."""
        return (self.available,)
