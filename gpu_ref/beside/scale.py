"""`--scale`: how many of a simulated machine stand beside one card.

N machines have N times the arithmetic, DRAM, area and power, and share the work evenly; no links are modelled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gpu_ref.beside.cost import Outside, PlaceCost, Platform, Resources, SimulatedLayer
from sim.errors import InputError, nearest_name

WORDS = ("bandwidth", "peak", "area")
MOST = 10**6


@dataclass(frozen=True)
class Scale:
    """A number, or the resource in which the machines shall equal the card."""

    number: float = 1.0
    word: str = ""

    def of(self, machine: Resources, card: Resources) -> float:
        """How many of the machine.

        Raises
        ------
        InputError
            Where the card's area is not published.
        """
        if self.word == "area":
            if card.square_millimetres is None or machine.square_millimetres is None:
                facts = {"allowed": "a number, bandwidth, peak"}
                raise InputError("the area of this card's die is not known", field="--scale", facts=facts)
            return card.square_millimetres / machine.square_millimetres
        if self.word == "bandwidth":
            return card.bytes_per_second / machine.bytes_per_second
        if self.word == "peak":
            return card.operations_per_second / machine.operations_per_second
        return self.number


def parse(text: str | None) -> Scale:
    """What `--scale` says.

    Raises
    ------
    InputError
        For anything but a positive number up to a million and the three words.
    """
    if text is None:
        return Scale()
    if text in WORDS:
        return Scale(word=text)
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 < number <= MOST:
        raise InputError(
            f"found {text!r}",
            field="--scale",
            nearest=nearest_name(text, WORDS),
            facts={"allowed": f"a number above 0 up to {MOST:,}, {', '.join(WORDS)}"},
        )
    return Scale(number)


def several(machine: Platform, number: float) -> Platform:
    """`number` of a machine as one platform."""
    if number == 1:
        return machine
    own = machine.resources
    area = own.square_millimetres
    return replace(
        machine,
        number=number,
        resources=Resources(
            own.bytes_per_second * number,
            own.operations_per_second * number,
            None if area is None else area * number,
            own.transistors,
        ),
        costs=tuple(cost if isinstance(cost, Outside) else _shared(cost, number) for cost in machine.costs),
        steps=tuple(
            tuple(SimulatedLayer(*(one / number for one in vars(step).values())) for step in steps)
            for steps in machine.steps
        ),
    )


def _shared(cost: PlaceCost, number: float) -> PlaceCost:
    return replace(cost, seconds=cost.seconds / number, peak_seconds=cost.peak_seconds / number)
