"""Where the multipliers' time went, for reports: shares of a run and of its phases, and the small ones together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sim.laws.waterfall import Waterfall
from sim.limits import loss_of
from sim.report.vocabulary import MULTIPLIERS, ordered
from sim.result import Result

USEFUL = "useful"
REST = "the rest"


def shares(waterfall: Waterfall) -> dict[str, float]:
    """Useful share and losses by name; they add up to one."""
    parts = {USEFUL: waterfall.useful, **waterfall.losses}
    return {name: part / waterfall.whole for name, part in parts.items()}


def columns(result: Result) -> dict[str, Waterfall]:
    """The whole run, and its phases where there are several, since a mean hides what one of them loses."""
    phases = {name: phase.waterfall for name, phase in result.phases.items()} if len(result.phases) > 1 else {}
    return {"share": result.waterfall, **phases}


def largest(found: Sequence[Mapping[str, float]], most: int) -> Iterator[tuple[str, list[float]]]:
    """Rows of at most `most` names, in the order of the waterfall: those largest anywhere, then all others as one."""
    size = {name: max(one.get(name, 0.0) for one in found) for one in found for name in one}
    kept = sorted(size, key=lambda name: (name != USEFUL, -size[name]))[: most if len(size) <= most else most - 1]
    for name in ordered(kept, MULTIPLIERS):
        yield name, [one.get(name, 0.0) for one in found]
    if len(kept) < len(size):
        yield REST, [sum(share for name, share in one.items() if name not in kept) for one in found]


def key(name: str) -> str:
    """What to change for a loss."""
    return loss_of()[name][1].key if name in loss_of() else ""
