"""The comparison in a terminal of 80 columns: ratios within a chip first, then seconds, then what survives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpu_ref.beside.notes import notes
from gpu_ref.beside.standing import NORMALISATIONS, PhaseStanding, ratios, verdict, within
from sim.report.quantities import percent, ratio, si
from sim.report.vocabulary import label

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gpu_ref.beside.comparison import Beside


def print_beside(beside: Beside, console: Console) -> None:
    """All parts of the work, one after the other."""
    console.print(_text(f"Beside {beside.card.name}", "bold"))
    for line in beside.card.provenance:
        console.print(_text(line, "dim"))
    _print_within(beside, console)
    for part in beside.parts:
        _print_part(beside, part, console)
    console.print()
    for line in notes(beside):
        console.print(_text(line, "dim"))
    console.print()


def _print_within(beside: Beside, console: Console) -> None:
    console.print()
    console.print(_text("Within one chip, whatever is held equal", "bold"))
    rows = {(one, first): "" for part in beside.parts for one, first, _ in within(part)}
    table = _table(("", ""), [part.name for part in beside.parts])
    for one, first in rows:
        found = [{(a, b): value for a, b, value in within(part)}.get((one, first)) for part in beside.parts]
        table.add_row(one, f"over {first}", *("" if value is None else ratio(value) for value in found))
    if rows:
        console.print(table)
    for line in alone(beside):
        console.print(_text(line, "dim"))


def alone(beside: Beside) -> list[str]:
    """Machines without another of their frame: no ratio within one chip can be told of them."""
    machines = [platform for platform in beside.platforms if platform.is_simulated]
    single = [one.name for one in machines if sum(one.frame == other.frame for other in machines) == 1]
    if not single:
        return []
    told = f"no other machine here has the clock, array and DRAM of {' or '.join(single)}"
    return [f"no ratio: {told}; a YAML that `extends` it with another `mxu.pe` would"]


def _print_part(beside: Beside, part: PhaseStanding, console: Console) -> None:
    from gpu_ref.beside.notes import title

    console.print()
    console.print(_text(title(part), "bold"))
    tokens = [] if part.tokens is None else ["a token"]
    table = _table(("",), ["time", *tokens, "error", "DRAM", "peak", "energy"])
    for entry in part.entries:
        table.add_row(
            entry.platform.name,
            si(entry.cost.seconds, "s"),
            *([si(entry.cost.seconds / part.tokens, "s")] if part.tokens else []),
            entry.platform.error.replace(" %", "%").replace(" ", ""),
            percent(entry.bandwidth_share).replace(" ", ""),
            percent(entry.peak_share).replace(" ", ""),
            bracket(entry.cost.least_joules, entry.cost.most_joules),
        )
    console.print(table)
    modules = _modules(beside, part)
    if modules is not None:
        console.print(modules)
    console.print(_text(f"Over {part.best.platform.name}, the card's fastest, with equal", ""))
    normalised = _table(("",), NORMALISATIONS)
    for entry in part.machines:
        values = ratios(entry, part.best)
        shown = ("" if values[name] is None else factor(values[name] or 0.0) for name in NORMALISATIONS)
        normalised.add_row(entry.platform.name, *shown)
    console.print(normalised)
    for entry in part.machines:
        console.print(
            _text(f"{entry.platform.name}: {verdict(ratios(entry, part.best), part.best.platform.most_error)}", "dim")
        )
    for line in (*part.left_out, *part.dropped):
        console.print(_text(f"left out: {line}", "dim"))


def _modules(beside: Beside, part: PhaseStanding) -> Table | None:
    """Time of one layer's projections, of its attention, of the head."""
    places = [beside.work[index] for index in part.covered]
    if part.name == "model" or len({place.module for place in places}) == 1:
        return None
    table = _table(("one layer",), [label(name) for name in dict.fromkeys(place.module for place in places)])
    for entry in part.entries:
        cells: dict[str, float] = {}
        for index, place in zip(part.covered, places, strict=True):
            cost = entry.platform.costs[index]
            cells[place.module] = cells.get(place.module, 0.0) + getattr(cost, "seconds", 0.0) / place.count
        table.add_row(entry.platform.name, *(si(value, "s") for value in cells.values()))
    return table


def factor(value: float) -> str:
    """Three significant digits, also of factors far from 1."""
    return f"{value:.3g}x" if 1e-3 <= value < 1000 else f"{value:.1e}x"


def bracket(least: float, most: float) -> str:
    """Energy between two figures; one figure where it was measured."""
    if least == most:
        return si(most, "J", 3)
    return f"{si(least, 'J', 3)}..{si(most, 'J', 3)}" if most else f"over {si(least, 'J', 3)}"


def _table(words: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _text(words: str, style: str = "") -> Text:
    from rich.text import Text

    return Text("".join(sign if sign.isprintable() else "?" for sign in words), style)
