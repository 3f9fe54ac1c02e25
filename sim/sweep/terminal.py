"""Sweeps in a terminal: how a run went, the front, the commands that run its points again, a difference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.report.quantities import percent, si
from sim.report.terminal import LEFT, RIGHT, _show, _table, _text
from sim.sweep.diff import Difference, compare
from sim.sweep.points import Tally
from sim.sweep.view import Point, View
from sim.sweep.wording import amount

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.table import Table

MOST_ROWS = 60


def print_tally(tally: Tally, workers: int, console: Console) -> None:
    """Counts, rate, and where the time went."""
    rate = f" ({tally.computed / tally.seconds:.3g} a second)" if tally.computed else ""
    parts = [f"{tally.computed:,} points simulated{rate}", f"{tally.reused:,} from the store"]
    parts += [f"{tally.pruned:,} pruned by constraints"] if tally.pruned else []
    parts += [f"{tally.failed:,} failed"] if tally.failed else []
    console.print()
    console.print(_text(f"{', '.join(parts)}, in {si(tally.seconds, 's')}"))
    if tally.computed:
        share = percent(tally.simulating_seconds / (workers * tally.seconds))
        console.print(
            _text(
                f"{workers} workers, {share} of their time simulating, "
                f"{si(tally.simulating_seconds / tally.computed, 's')} of a core a point; "
                f"resolving {si(tally.resolving_seconds, 's')}, storing {si(tally.storing_seconds, 's')}",
                "dim",
            )
        )


def print_front(view: View, console: Console) -> None:
    """The front of every group, one row a point, ordered by the first objective."""
    failed = sum(point.verdict.objectives is None for point in view.points)
    broken = sum(bool(point.verdict.broken) for point in view.points)
    for group, points in view.groups.items():
        title = ": ".join(part for part in (view.sweep.name, view.title(group)) if part)
        console.print()
        console.print(_text(title, "bold"))
        console.print(_text(f"{len(points)} points on the front, {len(view.comparable()[group])} compared", "dim"))
        _show(_front_table(view, points), console)
        if len(points) > MOST_ROWS:
            console.print(_text(f"and {len(points) - MOST_ROWS} more; all are in the report's tables", "dim"))
    told = [f"{failed} points failed" if failed else "", f"{broken} points break a constraint" if broken else ""]
    if not view.groups:
        told.insert(0, "no point is feasible")
    if any(told):
        console.print()
        console.print(_text("; ".join(filter(None, told)), "dim"))
    for reason in sorted({point.verdict.failure for point in view.points if point.verdict.failure})[:3]:
        console.print(_text(f"  {reason}", "dim"))


def _front_table(view: View, points: list[Point]) -> Table:
    ordered = sorted(points, key=lambda point: point.objectives)[:MOST_ROWS]
    names = list(view.choices_in_group(ordered[0]))
    objectives, derived = view.sweep.objectives, list(view.sweep.derived)
    rows = [
        [
            str(point.stored.number),
            *view.choices_in_group(point).values(),
            *(amount(name, value) for name, value in zip(objectives, point.objectives, strict=True)),
            *(amount(name, point.verdict.derived[name]) for name in derived),
        ]
        for point in ordered
    ]
    headings = ["point", *(re.sub(r"[_ ]|(?<=\.)", "\n", name) for name in (*names, *objectives, *derived))]
    table = _table(dict.fromkeys(headings, RIGHT), rows)
    for column, cells in zip(table.columns, zip(*rows, strict=True), strict=True):
        column.min_width = max(map(len, cells))  # a cut number is a wrong number
    return table


def print_commands(view: View, console: Console) -> None:
    """The command of every point on a front."""
    for points in view.groups.values():
        for point in sorted(points, key=lambda point: point.objectives):
            console.print()
            console.print(_text(f"point {point.stored.number}", "bold"))
            console.print(_text(point.command()), soft_wrap=True)


def print_diff(a: View, b: View, console: Console) -> None:
    """What two sweeps have in common and where they differ."""
    found: Difference = compare(a, b)
    console.print()
    console.print(_text(f"{a.name} (code {a.code}) against {b.name} (code {b.code})", "bold"))
    console.print(
        _text(
            f"{found.common:,} points in both, {found.only_a:,} only in the first, {found.only_b:,} only in the second"
        )
    )
    if found.changes:
        rows = [
            [one.quantity, f"{one.changed:,}", _signed(one.lowest), _signed(one.median), _signed(one.highest)]
            for one in found.changes
        ]
        _show(
            _table(dict(zip(("result", "changed", "lowest", "median", "highest"), _SIDES, strict=True)), rows), console
        )
    elif found.common:
        console.print(_text("all results of the common points are equal"))
    if found.fronts:
        rows = [
            [one.group or "all", *map(str, (one.both, one.only_a, one.only_b)), _ratio(one.volume_ratio)]
            for one in found.fronts
        ]
        heads = ("front", "in both", "only first", "only second", "volume, second / first")
        _show(_table(dict(zip(heads, _SIDES, strict=True)), rows), console)
    console.print()


_SIDES: Sequence[JustifyMethod] = (LEFT, RIGHT, RIGHT, RIGHT, RIGHT)


def _signed(share: float) -> str:
    return f"{100 * share:+.2f} %"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
