"""How long a process waits for its neighbours, by cause, and for how much of it a shared channel was at work.

wait(event, cause)    as `Activity.wait`, counted
close()               it is over

A wait beside a busy channel is paid in bandwidth, one beside an idle channel in latency or in too few requests. What a
unit's own ports take of its time is no wait for a neighbour and stays out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from simpy.events import Event

from sim.engine.activity import Activity, State
from sim.engine.environment import Environment


class Waits:
    """Cycles waited, by cause.

    Parameters
    ----------
    channel_busy
        Cycles before the present one in which the channel moved something.
    causes
        What this process waits for.

    Attributes
    ----------
    counters
        By name, up to the last `settle`.
    """

    __slots__ = (
        *("_activity", "_busy_since", "_cause", "_channel_busy", "_environment", "_since", "_start"),
        "counters",
    )

    def __init__(
        self,
        environment: Environment,
        activity: Activity,
        channel_busy: Callable[[], int],
        causes: tuple[State, ...],
    ) -> None:
        self._environment, self._activity, self._channel_busy = environment, activity, channel_busy
        self._cause: State | None = None
        self._start = self._since = self._busy_since = 0
        self.counters = {name: 0 for cause in causes for name in _names(activity.name, cause)}

    def wait(self, event: Event, cause: State, grace_cycles: int = 0) -> Event:
        """Stalled for a cause until the event; the first cycles of it, as many as `grace_cycles`, are not counted."""
        self.close()
        self._cause, self._start = cause, self._environment._now + grace_cycles
        if grace_cycles:
            self._environment.after(self._begin, grace_cycles)
        else:
            self._mark()
        return self._activity.wait(event, cause)

    def _begin(self, _: Event) -> None:
        if self._environment._now == self._start:  # else of a wait that is over
            self._mark()

    def _mark(self) -> None:
        self._since, self._busy_since = self._environment._now, self._channel_busy()

    def close(self) -> None:
        """Book the wait that has gone on until now; nothing is waited for any more."""
        if self._cause is not None:
            self.settle()
            self._cause = None

    def settle(self) -> None:
        """Book the running wait up to now."""
        if self._cause is None or self._environment._now <= self._start:
            return
        waited, since = self._environment._now - self._since, self._busy_since
        self._mark()
        beside_busy, beside_idle = _names(self._activity.name, self._cause)
        self.counters[beside_busy] += self._busy_since - since
        self.counters[beside_idle] += waited - (self._busy_since - since)

    def relative_state(self) -> int:
        """Cycles until the running wait counts."""
        return max(self._start - self._environment._now, 0)


@cache
def _names(unit: str, cause: State) -> tuple[str, str]:
    """Of the two counters of a cause."""
    busy, idle = (f"{unit}.{cause.name.lower()}_wait_channel_{channel}_cycles" for channel in ("busy", "idle"))
    return busy, idle
