"""What bench and verify ask of a card. CuPy answers in cupy_card.py, a pretended card in the tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from gpu_ref.program import Array, Program


@dataclass(frozen=True)
class Card:
    """A device, as far as kernels are chosen by it.

    Attributes
    ----------
    architecture
        What code is compiled for: sm_80 ... sm_120, sm_90a on Hopper.
    shared_bytes
        Shared memory that one block may have.
    """

    name: str
    architecture: str
    multiprocessors: int
    l2_bytes: int
    memory_bytes: int
    shared_bytes: int

    @property
    def is_hopper(self) -> bool:
        return self.architecture == "sm_90a"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CardState:
    """A reading beside a measurement; None where the card does not tell."""

    sm_megahertz: int | None = None
    memory_megahertz: int | None = None
    temperature_celsius: int | None = None
    power_watts: float | None = None
    throttle_reasons: tuple[str, ...] | None = None


class Prepared(Protocol):
    """A program compiled and uploaded, its streamed buffers in several copies."""

    @property
    def is_graph(self) -> bool:
        """Whether a batch is one captured graph, not single launches."""

    def run(self) -> dict[str, Array]:
        """Poison the results, run once over the first copy, and fetch them."""

    def sample(self) -> float:
        """Seconds of one run, the mean of one batch of runs that rotates through the copies."""

    def energy(self, seconds: float) -> float | None:
        """Joules of one run, from the card's energy counter over about `seconds`; None where it has none."""

    def release(self) -> None:
        """Give the memory back."""


class Device(Protocol):
    """A card at work."""

    @property
    def card(self) -> Card: ...

    @property
    def versions(self) -> dict[str, str]:
        """Driver, runtime, compiler, libraries."""

    def prepare(self, program: Program, copies: int = 1, runs: int = 1) -> Prepared:
        """Compile, upload and warm up; a batch is `runs` runs."""

    def state(self) -> CardState:
        """Clocks, temperature, power and throttle reasons now."""

    def free_bytes(self) -> int:
        """Device memory that is free."""

    def answers(self) -> bool:
        """Whether the card still works: after an illegal access nothing does, until the process ends."""
