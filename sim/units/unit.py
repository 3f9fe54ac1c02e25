"""What every unit is built on: where it stands (the bench), its ledger, and its process."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from simpy.events import Event

from sim.engine.activity import Activity, Recorder
from sim.engine.environment import Environment
from sim.engine.fast_forward import phase

Grain = Literal["beat", "tile"]
Steps = Generator[Event, object, None]
"""A process, or a part of one."""


@dataclass(frozen=True)
class Bench:
    """What the units of one machine share."""

    environment: Environment
    grain: Grain
    recorder: Recorder | None = None

    @property
    def now(self) -> int:
        return self.environment._now


class Unit:
    """A piece of hardware with one process and one ledger.

    Subclasses define `run`. Where the grains differ they define the same step twice, `beat_...` as the hardware does
    it and `tile_...` as an equation, and bind one of them by `self.bench.grain`.
    """

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench, self.name = bench, name
        self.activity = Activity(bench.environment, name, bench.recorder)
        self._generator: Steps = iter(())  # type: ignore[assignment]

    def run(self) -> Steps:
        """The process."""
        raise TypeError(f"{self.name} has no process of its own")

    def start(self) -> None:
        self._generator = self.run()
        self.bench.environment.process(self._generator)

    def end(self) -> Event | None:
        """The event of this unit's last work, for units that the run's end waits for."""
        return None

    def relative_state(self) -> tuple[Any, ...]:
        """Everything that the unit's future depends on, with times relative to now, for fast-forward."""
        return (phase(self._generator), self.activity.relative_state(), *self.in_hand())

    def in_hand(self) -> tuple[Any, ...]:
        """What the unit holds: items, the channels it consumes, the credits it owns."""
        return ()

    def counters(self) -> dict[str, int]:
        """Counters of this unit beside its ledger, by name; each has its unit of measure in its name."""
        return {}
