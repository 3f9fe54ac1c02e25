"""Phases of the work: what all sides cover, and ratios within a chip and across chips.

A ratio across chips hangs on what is held equal; each is the ratio of the card's seconds to the machine's, times

    as built      1
    bandwidth     that of the DRAM interfaces: the card's bytes a second over the machine's
    peak          the same of the peak rates, each at the operands that are used
    area          the same of the dies' areas, each as drawn in its own process
    transistors   the same of the transistors; a machine's are its area at the density of NVIDIA's chip in 16 nm
    rebuilt       1, the machine at the card's bandwidth and peak: compute and DRAM time scaled apart, the larger taken
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_ref.beside.cost import Outside, PlaceCost, Platform, Resources
from gpu_ref.beside.work import Place
from gpu_ref.reference.cards import shipped
from sim.errors import InputError

NORMALISATIONS = ("as built", "bandwidth", "peak", "rebuilt", "area", "transistors")


@dataclass(frozen=True)
class Entry:
    """One platform on what a part of the work covers."""

    platform: Platform
    cost: PlaceCost
    covered: tuple[int, ...]

    def rebuilt_seconds(self, card: Resources) -> float:
        """A machine's time with a card's bandwidth and peak."""
        own = self.platform.resources
        compute = own.operations_per_second / card.operations_per_second
        memory = own.bytes_per_second / card.bytes_per_second
        steps = [step for index in self.covered for step in self.platform.steps[index]]
        return sum(step.rebuilt_seconds(compute, memory) for step in steps)

    @property
    def alone(self) -> float:
        """Seconds of one of the platform, where several share the work."""
        return self.cost.seconds * self.platform.number

    @property
    def bandwidth_share(self) -> float:
        return self.cost.bytes / self.cost.seconds / self.platform.resources.bytes_per_second

    @property
    def peak_share(self) -> float:
        return self.cost.peak_seconds / self.cost.seconds


@dataclass(frozen=True)
class PhaseStanding:
    """A phase, or the whole model: entries of all platforms that cover the same places.

    Attributes
    ----------
    covered
        Indices of the places that are counted, on every platform the same.
    left_out
        Places that are not, with the reason; dropped platforms likewise.
    """

    name: str
    tokens: int | None
    entries: tuple[Entry, ...]
    covered: tuple[int, ...]
    left_out: tuple[str, ...]
    dropped: tuple[str, ...]
    operations_share: float

    @property
    def machines(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.platform.is_simulated]

    @property
    def rivals(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.platform.is_simulated]

    @property
    def best(self) -> Entry:
        """The card's fastest."""
        return min(self.rivals, key=lambda entry: entry.cost.seconds)


def part(
    name: str, tokens: int | None, work: Sequence[Place], mine: Sequence[int], all_: Sequence[Platform]
) -> PhaseStanding:
    """A part of the work, over the places that the card's 16-bit kernels cover."""
    baseline = next(platform for platform in all_ if not platform.is_simulated)
    covered = tuple(index for index in mine if isinstance(baseline.costs[index], PlaceCost))
    reasons: dict[str, None] = {}
    for index in mine:
        cost = baseline.costs[index]
        if isinstance(cost, Outside):
            reasons[f"{', '.join(work[index].names)}: {cost.reason}"] = None
    entries, dropped = [], []
    for platform in all_:
        costs = [platform.costs[index] for index in covered]
        known = [cost for cost in costs if isinstance(cost, PlaceCost)]
        if len(known) < len(costs):
            reason = next(cost.reason for cost in costs if isinstance(cost, Outside))
            dropped.append(f"{platform.name}: {reason}")
        elif known:
            entries.append(Entry(platform, sum(known, PlaceCost()), covered))
    operations = sum(work[index].operations for index in mine)
    share = sum(work[index].operations for index in covered) / operations if operations else 0.0
    return PhaseStanding(name, tokens, tuple(entries), covered, tuple(reasons), tuple(dropped), share)


def refuse_nothing_covered(parts: Sequence[PhaseStanding], card: str) -> None:
    """Raise an InputError where the card's tables hold nothing of the work."""
    if not any(one.covered for one in parts):
        reasons = dict.fromkeys(reason for one in parts for reason in one.left_out)
        raise InputError(
            "nothing of this work was measured", field=f"--gpu {card}", facts={"because": "; ".join(list(reasons)[:3])}
        )


def transistors(platform: Platform) -> float | None:
    """Of the die, or of a machine's area at the density of 16 nm."""
    own = platform.resources
    if own.transistors is not None or own.square_millimetres is None:
        return own.transistors
    return own.square_millimetres * shipped().transistors_per_square_millimetre.value


def ratios(machine: Entry, rival: Entry) -> dict[str, float | None]:
    """How many times faster than the rival the machine is, under every normalisation; None where it has no figure."""
    mine, other = machine.platform.resources, rival.platform.resources
    speedup = rival.cost.seconds / machine.cost.seconds

    def scaled(of_rival: float | None, of_machine: float | None) -> float | None:
        return None if of_rival is None or of_machine is None else speedup * of_rival / of_machine

    return {
        "as built": speedup,
        "bandwidth": scaled(other.bytes_per_second, mine.bytes_per_second),
        "peak": scaled(other.operations_per_second, mine.operations_per_second),
        "rebuilt": rival.cost.seconds / machine.rebuilt_seconds(other),
        "area": scaled(other.square_millimetres, mine.square_millimetres),
        "transistors": scaled(transistors(rival.platform), transistors(machine.platform)),
    }


def verdict(values: dict[str, float | None], error: float) -> str:
    """Under which normalisations faster, under which slower, and where the rival's error leaves it open."""
    found: dict[str, list[str]] = {"faster": [], "slower": [], "within the error": []}
    for name, value in values.items():
        if value is not None:
            word = "faster" if value > 1 + error else "slower" if value < 1 - error else "within the error"
            found[word].append(name)
    told = {word: names for word, names in found.items() if names}
    if len(told) == 1:
        return f"{next(iter(told))} under all of these"
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in told.items())


def within(part_: PhaseStanding) -> list[tuple[str, str, float]]:
    """(platform, its chip's first platform, speedup) of one each: chips that differ in their arithmetic alone."""
    found = []
    for frame in dict.fromkeys(entry.platform.frame for entry in part_.entries):
        first, *others = [entry for entry in part_.entries if entry.platform.frame == frame]
        found += [(one.platform.own_name, first.platform.own_name, first.alone / one.alone) for one in others]
    return found
