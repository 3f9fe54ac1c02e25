"""What every unit is built on: where it stands (the bench), its ledger, and its process."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.terms import CostTerms, Group
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


@dataclass(frozen=True)
class Loss:
    """Time of the multipliers that is lost at a unit (sim/laws/waterfall.py), in words for where it limits a run.

    Parameters
    ----------
    cause
        In two words; losses of one unit with one cause count together.
    words
        What the time is lost to; may name the rows that work and the rows there are, `{working}` of `{rows}`.
    key
        Of the arch YAML, or an option of the workload: the likeliest to make the loss smaller.
    advice
        What to do with it and with others.
    label
        In tables and figures; the loss's name with spaces where empty.
    """

    cause: str
    words: str
    key: str
    advice: str
    label: str = ""


class Unit:
    """A piece of hardware with one process and one ledger.

    Subclasses define `run`. Where the grains differ they define the same step twice, `beat_...` as the hardware does
    it and `tile_...` as an equation, and bind one of them by `self.bench.grain`.

    Attributes
    ----------
    names
        Of the units of this class in a machine, as results name them.
    flow
        Where data comes by, upstream first: the order of units in tables and figures.
    label
        As people write it; the name with spaces where empty.
    components
        Parts of energy and area that this class prices first, and the group of each.
    losses
        Of the waterfall, by name, that this unit is named for.
    """

    names: ClassVar[tuple[str, ...]] = ()
    flow: ClassVar[int]
    label: ClassVar[str] = ""
    components: ClassVar[Mapping[str, Group]] = {}
    losses: ClassVar[Mapping[str, Loss]] = {}

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """What the units of this class cost on a machine; a counter is priced by the unit that owns it."""
        return ()

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
