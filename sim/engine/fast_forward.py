"""Exact fast-forward over loops that have become periodic.

At the start of an iteration of a loop the complete state of the machine is taken, relative to the present: where every
process stands, what it holds, how long until it wakes, what lies in the channels, where the cursors are relative to the
leader's. When a state comes back, everything between the two sightings will happen again for as long as the loop
bodies stay the same; so the cursors jump over n such periods and n times what was counted in one is added. Simulated
time itself never moves: the result's time is the local time plus what was skipped.

    program       layers > operations (never skipped) > the loops of each GeMM           the outermost tried first
    GeMM          outer blocks > inner blocks > row tiles > runs of column tiles
    attention     heads > row blocks > key blocks > row tiles
    vector work   blocks
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sim.engine.environment import AFTER_ARBITRATION, Environment

NEAR_EVENTS = 4
"""Ticks of a slow clock between two states that count as alike though its phase differs."""
REMEMBERED = 256
"""Different states kept for one loop; a loop that shows more has no period worth finding."""

State = tuple[Any, ...]


class Cursor(Protocol):
    """A position in the loops, outermost first, then the positions below the lowest level."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the loops that may be skipped."""
        ...

    @property
    def position(self) -> tuple[int, ...]: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the present block: what happened in one happens again in equal blocks only."""
        ...

    @property
    def done(self) -> bool: ...

    @property
    def kind(self) -> int:
        """Of the present operation, for programs of several: equal for those that no unit can tell apart."""
        ...

    def count(self, level: int) -> int:
        """Iterations of a level's loop in the present block."""
        ...

    def first(self, level: int) -> int:
        """The first iteration of a level that is like the next."""
        ...

    def runs_over(self, level: int) -> bool:
        """Whether this cursor moves with the level at all."""
        ...

    def follows(self, leader: Any, level: int) -> bool:
        """Whether it goes through a loop of its own as the leader, elsewhere, does through this one."""
        ...

    def jump(self, level: int, iterations: int) -> None: ...


class Skip(NamedTuple):
    """One jump: where, over how many iterations, and the cycles they take."""

    level: str
    at_cycle: int
    period: int
    periods: int
    cycles: int


class SlowPhase(NamedTuple):
    """The phase of a clock so slow that states seldom come back with it, DRAM's refresh: it may differ a little.

    Parameters
    ----------
    phase
        Until its next tick.
    slack
        What it may differ by, between states at least NEAR_EVENTS ticks apart.
    ticks
        So far.
    slip_cycles
        What a difference of one moves a period by, at most.
    """

    phase: int
    slack: int
    ticks: int
    slip_cycles: float


class PeriodError(Exception):
    """Two periods that began in the same state counted differently: hidden state. A defect of the simulator."""


@dataclass(frozen=True)
class _Sighting:
    index: int
    totals: tuple[int, ...]
    slow: SlowPhase | None


@dataclass(frozen=True)
class _Period:
    iterations: int
    delta: tuple[int, ...]
    slip_cycles: float = 0.0


class FastForwarder:
    """Watches one run.

    Parameters
    ----------
    leader
        The cursor whose loops are watched.
    followers
        The cursors that run ahead of it, or behind.
    parts
        Name and relative state of everything in the machine.
    totals
        All that is counted, cycles first.
    add
        Adds n times a difference of totals to the machine's.
    most
        How often a difference may be added while these cursors jump and the others stand still; None: as often as
        there are periods.
    slow
        The phase of the machine's slow clock, if it has one.
    verify
        Skip only after two equal periods in a row, and raise where they differ.
    """

    def __init__(
        self,
        environment: Environment,
        leader: Cursor,
        followers: Sequence[Cursor],
        parts: Callable[[], list[tuple[str, State]]],
        totals: Callable[[], tuple[int, ...]],
        add: Callable[[tuple[int, ...], int], None],
        most: Callable[[tuple[int, ...], Sequence[Cursor]], int | None],
        slow: Callable[[], SlowPhase | None],
        *,
        verify: bool = False,
    ) -> None:
        self._environment, self._leader, self._followers = environment, leader, followers
        self._parts, self._totals, self._add, self._most, self._slow = parts, totals, add, most, slow
        self._verify = verify
        self._levels = leader.levels
        self._sightings: list[dict[State, _Sighting]] = [{} for _ in self._levels]
        self._confirmed: list[dict[State, _Period]] = [{} for _ in self._levels]
        self._near: list[dict[State, list[_Sighting]]] = [{} for _ in self._levels]
        """Sightings by all of their state but the slow phase."""
        self._suspected: list[dict[State, _Period]] = [{} for _ in self._levels]
        self._finished = [False] * len(self._levels)
        self._last: list[tuple[str, State]] = []
        self._moving: set[str] = set()
        self.snapshots = 0
        self.skips: list[Skip] = []
        self.slip_cycles = 0.0
        """What the result may be off by for phases that were not quite equal."""

    def boundary(self) -> None:
        """To be called by the leader at the start of each iteration of its innermost loop."""
        position = self._leader.position
        for inside in range(1, len(self._levels)):
            if not any(position[inside:]):
                # A loop inside starts anew.
                self._sightings[inside] = {}
                self._near[inside] = {}
                self._finished[inside] = False
        if self._candidates(position):
            event = self._environment.event()
            event._ok, event._value = True, None
            event.callbacks = [self._look]
            self._environment.schedule(event, AFTER_ARBITRATION, 0)

    def _candidates(self, position: tuple[int, ...]) -> list[int]:
        return [
            level
            for level in range(len(self._levels))
            if not any(position[level + 1 :])
            and not self._finished[level]
            and self._leader.first(level) <= position[level] < self._leader.count(level) - 2
        ]

    def _look(self, _: object) -> None:
        parts = self._parts()
        self.snapshots += 1
        self._moving = {name for (name, state), (_, before) in zip(parts, self._last, strict=False) if state != before}
        self._last = parts
        machine = tuple(state for _, state in parts)
        for level in self._candidates(self._leader.position):
            key = (self._relative_cursors(level), self._leader.shape, machine)
            period = self._period(level, key) or self._near_period(level, key)
            if period is None:
                continue
            periods = self._room(level) // period.iterations
            most = self._most(period.delta, self._moving_along(level)) if periods > 0 else None
            periods = periods if most is None else min(periods, most)
            if periods > 0:
                self._skip(level, period, periods)
                return

    def _relative_cursors(self, level: int) -> State:
        mine = self._leader.position
        states: list[State] = []
        for cursor in self._followers:
            position = cursor.position
            ahead = tuple(p - q for p, q in zip(position[:level], mine[:level], strict=True))
            if self._moves_along(cursor, level):
                behind_in_first = position[level] == 0 < mine[level]  # which is unlike the others
                states.append((ahead, position[level] - mine[level], position[level + 1 :], behind_in_first))
            else:
                states.append((ahead, position[level:], cursor.done or cursor.kind))
        return tuple(states)

    def _moves_along(self, cursor: Cursor, level: int) -> bool:
        same_block = cursor.position[:level] == self._leader.position[:level]
        return not cursor.done and (cursor.runs_over(level) if same_block else cursor.follows(self._leader, level))

    def _near_period(self, level: int, key: State) -> _Period | None:
        """A period between states that are equal but for a little of the slow phase."""
        slow = self._slow()
        if slow is None or self._verify:
            return None
        now = _Sighting(self._leader.position[level], self._totals(), slow)
        seen = self._near[level].setdefault(key, [])
        for before in seen:
            assert before.slow is not None
            apart = abs(slow.phase - before.slow.phase)
            if apart <= slow.slack and slow.ticks - before.slow.ticks >= NEAR_EVENTS and now.index > before.index:
                delta = tuple(after - then for after, then in zip(now.totals, before.totals, strict=True))
                return _Period(now.index - before.index, delta, apart * slow.slip_cycles)
        if len(seen) < REMEMBERED:
            seen.append(now)
        return None

    def _period(self, level: int, key: State) -> _Period | None:
        slow = self._slow()
        key = (key, slow and slow.phase)
        confirmed = self._confirmed[level].get(key)
        if confirmed is not None:
            return confirmed
        index, totals = self._leader.position[level], self._totals()
        before = self._sightings[level].get(key)
        if before is not None or len(self._sightings[level]) < REMEMBERED:
            self._sightings[level][key] = _Sighting(index, totals, slow)
        if before is None or before.index == index:  # or iterations that take no time
            return None
        delta = tuple(now - then for now, then in zip(totals, before.totals, strict=True))
        period = _Period(index - before.index, delta)
        if self._verify:
            suspected = self._suspected[level].setdefault(key, period)
            if suspected is period:
                return None
            if suspected != period:
                raise PeriodError(f"{self._levels[level]}: {suspected} and then {period} from the same state")
        self._confirmed[level][key] = period
        return period

    def _moving_along(self, level: int) -> list[Cursor]:
        return [cursor for cursor in self._followers if self._moves_along(cursor, level)]

    def _room(self, level: int) -> int:
        """Iterations that every cursor can jump and still stand in a body like the present one."""
        # The last iteration is unlike the others, and each cursor has begun the one it stands in.
        return max(
            min(
                cursor.count(level) - 2 - cursor.position[level]
                for cursor in (self._leader, *self._moving_along(level))
            ),
            0,
        )

    def _skip(self, level: int, period: _Period, periods: int) -> None:
        iterations = periods * period.iterations
        for cursor in (*self._moving_along(level), self._leader):
            cursor.jump(level, iterations)
        self._add(period.delta, periods)
        self.slip_cycles += periods * period.slip_cycles
        self._finished[level] = True
        cycles = periods * period.delta[0]
        self.skips.append(Skip(self._levels[level], self._environment._now, period.iterations, periods, cycles))

    def obstacle(self) -> str | None:
        """Why nothing was skipped, or None where something was."""
        if self.skips:
            return None
        if self.snapshots < 3:
            return "too few equal loop iterations to skip any"
        return "the state never came back; still changing: " + ", ".join(sorted(self._moving) or ["cursors"])


def phase(generator: Generator[Any, Any, Any]) -> tuple[int, ...]:
    """Where a process stands: the instruction it waits at, through all generators it has called."""
    found = []
    inner: Any = generator
    while inner is not None and getattr(inner, "gi_frame", None) is not None:
        found.append(inner.gi_frame.f_lasti)
        inner = inner.gi_yieldfrom
    return tuple(found)
