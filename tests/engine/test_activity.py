"""A ledger: every cycle since the start is booked once, in the state the process was in."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from sim.engine.activity import Activity, State
from sim.engine.environment import Environment

Steps = Generator[Any, Any, None]


class Spans:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, int, int]] = []

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        self.spans.append((unit, state, start_cycle, end_cycle))


def ran(script: Callable[[Activity, Environment], Steps], until: int = 100) -> tuple[dict[State, int], Spans]:
    """The ledger of a process after `until` cycles, and its spans."""
    environment, spans = Environment(), Spans()
    activity = Activity(environment, "unit", spans)
    environment.process(script(activity, environment))
    environment.run(until=until)
    activity.settle()
    return {State(state): n for state, n in enumerate(activity.cycles) if n}, spans


def test_every_cycle_is_booked_in_the_state_it_was_spent_in() -> None:
    def script(activity: Activity, environment: Environment) -> Steps:
        yield activity.work(7)
        yield activity.wait(environment.timeout(20), State.DRAM)
        yield activity.sleep(3, State.DEPENDENCY)
        yield activity.rest(environment.timeout(10))
        yield activity.work(2)
        activity.enter(State.IDLE)

    ledger, spans = ran(script)
    assert ledger == {State.BUSY: 7 + 2, State.DRAM: 20, State.DEPENDENCY: 3, State.IDLE: 10 + 100 - 42}
    assert spans.spans == [
        ("unit", "busy", 0, 7),
        ("unit", "dram", 7, 27),
        ("unit", "dependency", 27, 30),
        ("unit", "idle", 30, 40),
        ("unit", "busy", 40, 42),
        ("unit", "idle", 42, 100),
    ]


def test_parts_spent_as_one_event_are_booked_as_if_one_after_the_other() -> None:
    parts = ((State.BUSY, 5), (State.ACTIVATIONS, 0), (State.WEIGHTS, 4), (State.BUSY, 1))

    def at_once(activity: Activity, _: Environment) -> Steps:
        yield activity.spend(*parts)
        activity.enter(State.IDLE)

    def one_by_one(activity: Activity, _: Environment) -> Steps:
        for state, cycles in parts:
            yield activity.sleep(cycles, state)
        activity.enter(State.IDLE)

    together, apart = ran(at_once), ran(one_by_one)
    assert together[0] == apart[0] == {State.BUSY: 6, State.WEIGHTS: 4, State.IDLE: 90}
    assert together[1].spans == apart[1].spans


def test_a_process_says_how_long_until_it_wakes_by_itself() -> None:
    environment = Environment()
    activity = Activity(environment, "unit")

    def script() -> Steps:
        yield activity.work(10)
        yield activity.wait(environment.event(), State.WEIGHTS)

    environment.process(script())
    environment.run(until=4)
    assert activity.relative_state() == (State.BUSY, 10 - 4)
    environment.run(until=50)
    assert activity.relative_state() == (State.WEIGHTS, 0)


def test_settling_twice_books_nothing_twice() -> None:
    environment = Environment()
    activity = Activity(environment, "unit")
    environment.run(until=30)
    activity.settle()
    activity.settle()
    assert sum(activity.cycles) == 30
