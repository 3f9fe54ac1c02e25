"""What is explained, as rows that the terminal and the page lay out alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sim.explain.difference import USEFUL, CycleGap
from sim.explain.fits import Overflow
from sim.explain.gains import Gain
from sim.report.comparison import labels
from sim.report.quantities import percent, ratio, si
from sim.report.vocabulary import MODULES, explained, label, limiting, ordered
from sim.report.waterfall import key, largest, shares
from sim.result import Result

LOSSES = 12
"""Lines of a waterfall."""


@dataclass(frozen=True)
class Told:
    """A table under a heading: the first `words` columns are text, the others figures; `note` stands below it."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)
    note: str = ""


def limit(result: Result) -> str:
    """What limits a result, in a sentence."""
    [name] = labels([result])
    return f"{name} on {result.workload_name} is limited by {limiting(result.limit)}: {explained(result.limit)}"


def one_result(result: Result, found: Sequence[Gain], overflowing: Sequence[Overflow]) -> Iterator[Told]:
    """Everything about one result."""
    rows = [(label(name), percent(part), key(name)) for name, [part] in largest([shares(result.waterfall)], LOSSES)]
    yield Told("Where the multipliers' time went", ("", "share", "mend"), tuple(rows), (0, 2))
    if overflowing:
        yield Told(
            "What its buffer does not hold",
            ("module", "operand", "a block needs", "the buffer has", "grows with"),
            tuple(
                (label(one.module), one.operand, si(one.needed_bytes, "B"), si(one.buffer_bytes, "B"), one.key)
                for one in overflowing
            ),
            (0, 1, 4),
            "Such an operand is loaded anew for every output tile.",
        )
    helping = [gain for gain in found if gain.helps]
    if helping:
        yield _gains("Twice of it, simulated; by speed over area", helping)
    if defects := [gain for gain in found if gain.is_defect]:
        yield _gains("Slower with more: a defect of the schedule, which --schedule best may mend", defects)
    if not helping:
        yield Told("Twice of it, simulated", (), (("nothing that is doubled alone makes it faster",),))
    nothing = [gain.knob.key for gain in found if not (gain.helps or gain.is_defect or gain.refused)]
    refused = [(gain.knob.key, gain.refused) for gain in found if gain.refused]
    if nothing:
        yield Told("No gain from twice of", (), tuple((name,) for name in nothing))
    if refused:
        yield Told("Not to be doubled", ("key", "why"), tuple(refused), (0, 1))


def two_results(first: Result, second: Result, gap: CycleGap) -> Iterator[Told]:
    """Where the cycles between two results come from."""
    names = labels([first, second])
    causes = {name: float(cycles) for name, cycles in gap.causes.items()}
    yield _table(f"From {names[0]} to {names[1]}, by cause", causes, gap, {USEFUL: "useful work"})
    yield _table("By module", {name: gap.modules[name] for name in ordered(gap.modules, MODULES)}, gap, {})


def _gains(heading: str, found: Sequence[Gain]) -> Told:
    rows = [
        (gain.knob.key, _value(gain.changes[gain.knob.key]), ratio(gain.speedup), ratio(gain.energy), ratio(gain.area))
        for gain in found
    ]
    along = {gain.knob.key: [name for name in gain.changes if name != gain.knob.key] for gain in found}
    notes = [f"{key} with twice {', '.join(names)}." for key, names in along.items() if names]
    return Told(heading, ("key", "to", "speed", "energy", "area"), tuple(rows), (0,), "\n".join(notes))


def _value(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _table(heading: str, cycles: Mapping[str, float], gap: CycleGap, known: Mapping[str, str]) -> Told:
    rows = [(known.get(name) or label(name), f"{number:+,.0f}") for name, number in cycles.items()]
    return Told(heading, ("", "cycles"), (*rows, ("together", f"{gap.cycles:+,}")))
