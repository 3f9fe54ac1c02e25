"""Which port of a shared channel is served next. A policy is one file in this folder, or a plug-in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from sim.units.dram import Port


class Waiting(Protocol):
    """A request at the head of its port's queue."""

    arrival: int
    bytes_left: int


class Arbiter(ABC):
    """Decides between transactions, for one run.

    Attributes
    ----------
    name
        In `dram.arbitration`.
    summary
        One line for `sim.py list`.
    """

    plugs_into: ClassVar[str] = "arbitration"
    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def choose(self, waiting: Sequence[Port], queues: Sequence[Sequence[Waiting]]) -> Port:
        """One of the ports that wait, in ascending order; `queues` are by port."""

    def relative_state(self) -> tuple[Any, ...]:
        """What the next choice depends on beside the queues, times relative to now."""
        return ()
