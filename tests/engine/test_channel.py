"""Channels and credits: order kept, capacity kept, waiters woken in the same cycle."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment

Steps = Generator[Any, Any, None]


@given(
    capacity=st.integers(1, 4),
    puts=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    takes=st.lists(st.integers(0, 5), min_size=20, max_size=20),
)
def test_a_channel_is_a_fifo_of_its_capacity(capacity: int, puts: list[int], takes: list[int]) -> None:
    environment = Environment()
    channel: Channel[int] = Channel(environment, capacity)
    put_at: list[int] = []
    got: list[tuple[int, int]] = []

    def produce() -> Steps:
        for item, pause in enumerate(puts):
            yield environment.timeout(pause)
            while not channel.has_space:
                yield channel.freed()
            channel.put(item)
            put_at.append(environment._now)

    def consume() -> Steps:
        for pause in takes[: len(puts)]:
            while not channel.items:
                yield channel.filled()
            got.append((channel.pop(), environment._now))
            yield environment.timeout(pause)

    environment.process(produce())
    environment.process(consume())
    environment.run()
    # On paper: item i comes a pause after the one before, once item i - capacity is out; it is taken once the consumer
    # has paused after the one before.
    put: list[int] = []
    out: list[int] = []
    for i, pause in enumerate(puts):
        room = out[i - capacity] if i >= capacity else 0
        put.append(max((put[-1] if put else 0) + pause, room))
        out.append(max(put[-1], out[-1] + takes[i - 1] if out else 0))
    assert got == list(enumerate(out))
    assert put_at == put


def test_a_full_channel_refuses() -> None:
    channel: Channel[int] = Channel(Environment(), capacity=1)
    channel.put(1)
    with pytest.raises(OverflowError):
        channel.put(2)
    assert list(channel.items) == [1]


def test_a_channel_without_a_capacity_always_has_space() -> None:
    channel: Channel[int] = Channel(Environment())
    for item in range(1000):
        assert channel.has_space
        channel.put(item)
    assert list(channel.items) == list(range(1000))


def test_credits_are_neither_overdrawn_nor_invented() -> None:
    credits_ = Credits(Environment(), capacity=5)
    credits_.take(5)
    with pytest.raises(OverflowError):
        credits_.take()
    credits_.give(5)
    with pytest.raises(OverflowError):
        credits_.give()


def test_a_producer_wakes_in_the_cycle_in_which_credits_come_back() -> None:
    environment = Environment()
    credits_ = Credits(environment, capacity=4)
    credits_.take(4)
    taken: list[int] = []

    def produce() -> Steps:
        while credits_.available < 3:
            yield credits_.given()
        credits_.take(3)
        taken.append(environment._now)

    environment.process(produce())
    for cycle, amount in ((5, 2), (9, 1)):
        environment.after(lambda _, amount=amount: credits_.give(amount), cycle)
    environment.run()
    assert taken == [9]
