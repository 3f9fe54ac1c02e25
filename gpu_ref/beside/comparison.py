"""Simulated machines and a GPU on the same work: `request(...).answer(...)`; shown by gpu_ref/figure.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_ref import record as records
from gpu_ref.beside import card, recorded, simulated, standing
from gpu_ref.beside.cost import Platform, Resources
from gpu_ref.beside.scale import Scale, parse, several
from gpu_ref.beside.standing import PhaseStanding
from gpu_ref.beside.work import Place
from gpu_ref.reference.cards import card_names, shipped
from gpu_ref.reference.tables import FRAMEWORKS, ORIGIN, TYPES, types_of
from gpu_ref.show import heading
from sim.errors import InputError, nearest_name
from sim.result import Result


@dataclass(frozen=True)
class CardTimes:
    """Where a card's times come from: the measured tables, or a record of our own."""

    name: str
    provenance: tuple[str, ...]
    remarks: tuple[str, ...]
    resources: Resources
    platforms: Callable[[Sequence[Place]], list[Platform]]


@dataclass(frozen=True)
class Beside:
    """The comparison; every figure of it that is shown anywhere is computed here or in `standing`."""

    card: CardTimes
    work: tuple[Place, ...]
    platforms: tuple[Platform, ...]
    parts: tuple[PhaseStanding, ...]
    scaled: bool


@dataclass(frozen=True)
class ComparisonRequest:
    """What `--gpu` and `--scale` ask for, checked before time is spent on simulating."""

    gpu: str
    card: CardTimes
    scale: Scale

    def answer(self, results: Sequence[Result], labels: Sequence[str]) -> Beside:
        """Set the card beside machines.

        Parameters
        ----------
        results, labels
            Results of the same work, and their names.

        Raises
        ------
        InputError
            Where nothing of the work was measured on the card.
        """
        places = simulated.work_of(results[0])
        work = tuple(place for place, _ in places)
        machines = []
        for label, result in zip(labels, results, strict=True):
            one = simulated.machine(label, result, places)
            machines.append(several(one, self.scale.of(one.resources, self.card.resources)))
        platforms = (*machines, *self.card.platforms(work))
        phases = list(dict.fromkeys(place.phase for place in work))
        parts = []
        for phase in phases:
            mine = [index for index, place in enumerate(work) if place.phase == phase]
            parts.append(standing.part(phase, simulated.tokens_of(results[0], phase), work, mine, platforms))
        if len(phases) > 1:
            parts.append(standing.part("model", None, work, range(len(work)), platforms))
        standing.refuse_nothing_covered(parts, self.gpu)
        covered = tuple(one for one in parts if one.covered)
        return Beside(self.card, work, platforms, covered, self.scale != Scale())


def request(gpu: str, scale: str | None = None) -> ComparisonRequest:
    """Read the options.

    Parameters
    ----------
    gpu
        A card of the measured tables (H100), or the path of a record that `gpu first-contact` made.
    scale
        How many of each machine: a number, or `bandwidth`, `peak`, `area` for as many as equal the card in it.

    Raises
    ------
    InputError
        Where there is no such card or record, or the scale is none.
    """
    return ComparisonRequest(gpu, find(gpu), parse(scale))


def find(gpu: str) -> CardTimes:
    """The card that `--gpu` names, or whose record it is.

    Raises
    ------
    InputError
        Where it is neither; names the cards.
    """
    names = {name.lower(): name for name in card_names()}
    if gpu.lower() in names:
        name = names[gpu.lower()]
        told: tuple[str, ...] = (
            f"{shipped().cards[name].product}, measured by others: {ORIGIN}",
            "kernels of " + ", ".join(dict.fromkeys(FRAMEWORKS[name].values())),
        )
        own = card.resources(shipped().cards[name], card.BASELINE)
        remarks = tuple(f"{kind}: {TYPES[kind].about}." for kind in types_of(name))
        return CardTimes(name, told, remarks, own, lambda work: card.platforms(name, work))
    path = Path(gpu)
    if not path.is_file() and path.suffix != ".json":
        facts = {"cards": ", ".join(card_names()), "or": "the path of a record that `gpu first-contact` made"}
        raise InputError(
            f"{gpu}: neither a card nor a record",
            field="--gpu",
            nearest=nearest_name(gpu.upper(), names.values()),
            facts=facts,
        )
    record = records.load(path)
    told = (f"measured here: {path}", *heading(record))
    return CardTimes(
        record.device.name, told, (), recorded.resources(record), lambda work: recorded.platforms(record, work)
    )
