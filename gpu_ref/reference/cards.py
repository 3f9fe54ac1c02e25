"""The cards of the tables: dense peaks, bandwidth, power and die, each with its source (measured/cards.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sim import source
from sim.errors import InputError, nearest_name
from sim.section import Section

FOLDER = Path(__file__).parent / "measured"

Positive = Annotated[float, Field(gt=0)]


class Die(Section):
    """Silicon of the card; the area is None where the maker does not publish it."""

    name: str
    area_square_millimetres: Positive | None
    node: str
    transistors: Positive
    source: str


class Figure(Section):
    """One number and where it stands."""

    value: Positive
    source: str


class Peaks(Section):
    """Dense operations a second by operand; None where the card has no such unit."""

    bfloat16: Positive
    fp8: Positive | None = None
    fp4: Positive | None = None
    source: str


class TabulatedCard(Section):
    """One card of the tables."""

    product: str
    die: Die
    power_watts: Figure
    bytes_per_second: Figure
    operations_per_second: Peaks

    def peak(self, operand: str) -> float:
        """Dense operations a second on operands of that kind."""
        value = getattr(self.operations_per_second, operand)
        if value is None:
            raise ValueError(f"{self.product} has no {operand} unit")
        return float(value)


class Cards(Section):
    """What measured/cards.yaml says."""

    cards: dict[str, TabulatedCard]
    dram_picojoules_per_bit: Figure
    transistors_per_square_millimetre: Figure


@cache
def shipped() -> Cards:
    """The cards, and the two figures that compare them with silicon of another kind."""
    return source.validate(Cards, source.read(FOLDER / "cards.yaml"))


def card_names() -> list[str]:
    """H100 and its like, in the order of their years."""
    return list(shipped().cards)


def find_card(name: str) -> str:
    """The card that a user means by `name`.

    Raises
    ------
    InputError
        Where there is none of that name.
    """
    known = {card.lower(): card for card in card_names()}
    if name.lower() not in known:
        raise InputError(
            "no measurements of this card",
            field=name,
            nearest=nearest_name(name.upper(), card_names()),
            facts={"cards": ", ".join(card_names())},
        )
    return known[name.lower()]
