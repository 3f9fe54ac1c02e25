"""What a multiprocessor of a card does in a cycle: silicon.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpu_ref.card import Card
from sim import source
from sim.errors import InputError, nearest_name
from sim.section import Section

FILE = Path(__file__).parent / "silicon.yaml"

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Silicon(Section):
    """One card; `macs_per_cycle` by the family of its Tensor Core instructions, as far as it is published."""

    architecture: str
    multiprocessors: Count
    l2_bytes: Count
    shared_bytes: Count
    megahertz: Positive
    library_macs_per_cycle: Count
    macs_per_cycle: dict[str, Count]
    sustained_bytes_per_second: Positive
    source: str

    @property
    def hertz(self) -> float:
        return self.megahertz * 1e6

    def card(self, name: str) -> Card:
        """As far as kernels are chosen by it."""
        return Card(name, self.architecture, self.multiprocessors, self.l2_bytes, 0, self.shared_bytes)


class Issue(Section):
    """Warp instructions a cycle: at most one a scheduler, and the share of that which is likely."""

    schedulers: Count
    likely_share: Positive
    source: str


class Launches(Section):
    """Seconds of the first launch of a graph, and of each after it."""

    first: Positive
    next: Positive
    source: str


class Forecasts(Section):
    """What silicon.yaml says."""

    cards: dict[str, Silicon]
    issue: Issue
    launch_seconds: Launches


@cache
def silicon() -> Forecasts:
    """The file, checked."""
    return source.validate(Forecasts, source.read(FILE))


def find(card: str) -> tuple[str, Silicon]:
    """A card of which a forecast can be made.

    Raises
    ------
    InputError
        For any other.
    """
    cards = silicon().cards
    for name, one in cards.items():
        if name.lower() == card.lower():
            return name, one
    raise InputError(
        "no forecast can be made for this card",
        field=card,
        nearest=nearest_name(card.upper(), cards),
        facts={"cards": ", ".join(cards)},
    )
