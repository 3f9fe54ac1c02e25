"""Channels and credits that several producers share: those of one cycle are served at its end, in the order of ports.

credits.port(n)     of one producer, used as `Credits` are; the earliest to ask is served first, ties by port
channel.port(n)     of one producer; items of one cycle come in together, by port
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from simpy.events import Event

from sim.engine.channel import Channel, Credits, Item
from sim.engine.environment import Environment


class CreditPort(Credits):
    """One producer's way to credits that are shared: asked for one at a time, even when some are left."""

    __slots__ = ("_number", "_shared")

    def __init__(self, shared: SharedCredits, number: int) -> None:
        super().__init__(shared._environment, 0)
        self._shared, self._number = shared, number

    def given(self) -> Event:
        self._shared.ask(self._number)
        return super().given()

    def grant(self) -> None:
        """Hold a credit from now on, until it is taken."""
        self.capacity = 1
        super().give()


class SharedCredits(Credits):
    """Credits that several producers take."""

    __slots__ = ("_armed", "_asked", "_ports")

    def __init__(self, environment: Environment, capacity: int) -> None:
        super().__init__(environment, capacity)
        self._asked: list[tuple[int, int]] = []
        self._ports: dict[int, CreditPort] = {}
        self._armed = False

    def port(self, number: int) -> CreditPort:
        return self._ports.setdefault(number, CreditPort(self, number))

    def ask(self, number: int) -> None:
        """Have a credit granted as soon as it is this port's turn."""
        self._asked.append((self._environment._now, number))
        self._arm()

    def give(self, amount: int = 1) -> None:
        super().give(amount)
        self._arm()

    def _arm(self) -> None:
        if self._asked and not self._armed:
            self._armed = True
            self._environment.at_claims(self._serve)

    def _serve(self, _: Event) -> None:
        self._armed = False
        self._asked.sort()
        while self._asked and self.available:
            self.take()
            self._ports[self._asked.pop(0)[1]].grant()

    def relative_state(self) -> tuple[Any, ...]:
        return (self.available, tuple(number for _, number in sorted(self._asked)))


class ChannelPort(Generic[Item]):
    """One producer's way into a channel that is shared."""

    def __init__(self, channel: SharedChannel[Item], number: int) -> None:
        self._channel, self._number = channel, number

    def put(self, item: Item) -> None:
        self._channel.bring(item, self._number)


class SharedChannel(Channel[Item]):
    """A FIFO that several producers fill."""

    __slots__ = ("_arriving",)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._arriving: list[tuple[int, Item]] = []

    def port(self, number: int) -> ChannelPort[Item]:
        return ChannelPort(self, number)

    def bring(self, item: Item, number: int) -> None:
        """In at the end of this cycle."""
        if not self._arriving:
            self._environment.at_claims(self._settle)
        self._arriving.append((number, item))

    def _settle(self, _: Event) -> None:
        arrived, self._arriving = sorted(self._arriving, key=lambda one: one[0]), []
        for _number, item in arrived:
            self.put(item)


@dataclass(frozen=True)
class Inlet(Generic[Item]):
    """One producer's way into a unit that several feed: room for an item, and where it goes."""

    space: CreditPort
    blocks: ChannelPort[Item]
