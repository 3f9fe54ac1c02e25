"""What a place in the model costs on a platform. Costs of different places add up."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class PlaceCost:
    """All of a place's calls together.

    Attributes
    ----------
    bytes
        To and from DRAM: what a machine moved, and what a GPU moves at least.
    peak_seconds
        What the operations take at the peak of the units that do them.
    least_joules, most_joules
        Energy of DRAM alone; of everything that the simulator models, or the card's TDP all along.
    """

    seconds: float = 0.0
    bytes: float = 0.0
    peak_seconds: float = 0.0
    least_joules: float = 0.0
    most_joules: float = 0.0

    def __add__(self, other: PlaceCost) -> PlaceCost:
        return PlaceCost(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __truediv__(self, parts: float) -> PlaceCost:
        return PlaceCost(*(getattr(self, one.name) / parts for one in fields(self)))


@dataclass(frozen=True)
class Outside:
    """Not measured, and why."""

    reason: str


@dataclass(frozen=True)
class SimulatedLayer:
    """A simulated layer, all its instances: its time, and what its arithmetic and its bytes alone would take."""

    seconds: float
    compute_seconds: float
    memory_seconds: float

    def rebuilt_seconds(self, slower_compute: float, slower_memory: float) -> float:
        """With other arithmetic and DRAM: each scaled by itself, the larger taken.

        What neither explains (fill, drain, latency, waiting) grows or shrinks with it.
        """
        bound = max(self.compute_seconds, self.memory_seconds)
        if bound == 0:
            return self.seconds
        return self.seconds * max(self.compute_seconds * slower_compute, self.memory_seconds * slower_memory) / bound


@dataclass(frozen=True)
class Resources:
    """What a platform is made of; None where it is not known.

    Attributes
    ----------
    operations_per_second
        Its peak on this work, at the operands that it uses.
    """

    bytes_per_second: float
    operations_per_second: float
    square_millimetres: float | None
    transistors: float | None


@dataclass(frozen=True)
class Platform:
    """A machine, or a card with one type of kernels, on all places of the work.

    Attributes
    ----------
    own_name
        Of one of them.
    costs
        One a place.
    frame
        Equal for platforms that are one chip but for their arithmetic.
    error, most_error
        Relative errors of the times, in words, empty for a machine; and what 95 % of them stay below.
    measured, how
        For every place whether exactly these shapes were timed, and whether together or apart.
    steps
        For every place a machine's layers.
    number
        How many of them share the work.
    """

    own_name: str
    is_simulated: bool
    resources: Resources
    costs: tuple[PlaceCost | Outside, ...]
    frame: tuple[object, ...]
    error: str = ""
    most_error: float = 0.0
    measured: tuple[bool, ...] = ()
    how: tuple[str, ...] = ()
    steps: tuple[tuple[SimulatedLayer, ...], ...] = ()
    number: float = 1.0

    @property
    def name(self) -> str:
        return self.own_name if self.number == 1 else f"{self.number:.4g} x {self.own_name}"
