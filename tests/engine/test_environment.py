"""The end of a cycle comes after all its normal events, whatever order they were asked for in."""

from __future__ import annotations

import itertools

import pytest

from sim.engine.environment import Environment


@pytest.mark.parametrize("order", list(itertools.permutations(["end", "normal", "late"])))
def test_the_end_of_a_cycle_comes_last(order: tuple[str, ...]) -> None:
    environment, seen = Environment(), []

    def act(_: object) -> None:
        seen.append(("normal", environment._now))
        # An event that a normal event of the same cycle causes still comes before the end.
        environment.after(lambda _: seen.append(("caused", environment._now)), 0)

    calls = {
        "end": lambda: environment.at_end_of_cycle(lambda _: seen.append(("end", environment._now)), 7),
        "normal": lambda: environment.after(act, 7),
        "late": lambda: environment.after(lambda _: seen.append(("next", environment._now)), 8),
    }
    for name in order:
        calls[name]()
    environment.run()
    assert seen == [("normal", 7), ("caused", 7), ("end", 7), ("next", 8)]


def test_time_is_whole_cycles() -> None:
    environment = Environment()
    environment.after(lambda _: None, 3)
    environment.run()
    assert type(environment._now) is int
