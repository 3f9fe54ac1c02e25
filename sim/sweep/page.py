"""The page of a sweep: fronts, parallel coordinates, one axis at a time, and the commands of the front's points."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import yaml

from sim.report.document import document, drawn, fold
from sim.report.markup import Html, join, table, tag
from sim.sweep.figures.fronts import fronts
from sim.sweep.figures.parallel import parallel
from sim.sweep.figures.sensitivity import sensitivity
from sim.sweep.view import Group, Point, View
from sim.sweep.wording import amount, objective_title

MOST_ROWS = 200
_STYLE = (
    "output { display: block; position: sticky; bottom: 0; padding: 8px 12px; overflow-x: auto; white-space: pre; "
    "font: 13px/1.45 ui-monospace, monospace; background: var(--panel); border-top: 1px solid var(--line); } "
    # Labels stay legible where lines cross them.
    ".annotation-text { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }"
)
_SCRIPT = """
for (const plot of document.querySelectorAll("figure div[role=img]")) {
  plot.on?.("plotly_click", (event) => {
    const command = event.points[0].customdata;
    if (command) document.querySelector("output").textContent = command;
  });
}
"""


def page(view: View, written: datetime) -> str:
    """The page's text; `written` stands in its head."""
    title = f"Sweep {view.sweep.name}"
    body = [tag("h1", title), tag("p", view.sweep.description), _facts(view, written), *_sections(view)]
    return document(title, join(body), style=_STYLE, script=_SCRIPT)


def _facts(view: View, written: datetime) -> Html:
    failed = sum(point.verdict.objectives is None for point in view.points)
    broken = sum(bool(point.verdict.broken) for point in view.points)
    facts = {
        "page written": f"{written:%Y-%m-%d %H:%M %Z}".strip(),
        "mode": view.sweep.mode,
        "points": f"{len(view.points):,} simulated, {broken:,} break a constraint, {failed:,} failed",
        "objectives": ", ".join(view.sweep.objectives),
        "constraints": ", ".join(view.sweep.constraints) or "none",
        "code": view.code,
    }
    return tag("dl", *(part for name, text in facts.items() for part in (tag("dt", name), tag("dd", text))))


def _sections(view: View) -> Iterator[Html]:
    for group, points in view.groups.items():
        title = view.title(group)
        yield tag("h2", f"Front: {title}" if title else "Front")
        yield drawn(
            fronts(view, group),
            "Every pair of objectives, all to be minimised. Points on the front in colour, dominated ones in grey; "
            "the pointer shows a point's configuration, a click its command at the foot of the page.",
        )
        yield tag("h3", "Parallel coordinates")
        yield drawn(
            parallel(view, group),
            "One line a design; designs on the front are coloured by the first objective, dominated ones grey.",
        )
        yield fold(f"{len(points)} points on the front", *_table(view, group))
    if view.groups:
        yield tag("h2", "One axis at a time")
        yield drawn(
            sensitivity(view),
            "Objectives over the levels of each axis, relative to the median of all points: the median (line) and "
            "the least (dotted) over the points of a level. A grid balances all other axes, a search does not.",
        )
    yield tag("h2", "Definition")
    definition = view.sweep.model_dump(mode="json", by_alias=True, exclude_unset=True)
    yield fold("sweep", tag("pre", yaml.safe_dump(definition, sort_keys=False, allow_unicode=True, width=110)))
    reasons = sorted({point.verdict.failure for point in view.points if point.verdict.failure})
    if reasons:
        yield fold("why points failed", tag("pre", "\n\n".join(reasons)))
    yield tag("output", "Click a point to see the command that runs it again.")


def _table(view: View, group: Group) -> Iterator[Html]:
    points: list[Point] = sorted(view.groups[group], key=lambda point: point.objectives)
    columns = [
        "point",
        *view.choices_in_group(points[0]),
        *(objective_title(text)[0] for text in view.sweep.objectives),
        "command",
    ]
    rows = [
        [
            str(point.stored.number),
            *view.choices_in_group(point).values(),
            *(amount(name, value) for name, value in zip(view.sweep.objectives, point.objectives, strict=True)),
            tag("code", point.command()),
        ]
        for point in points[:MOST_ROWS]
    ]
    yield table(columns, rows, words=(0, len(columns) - 1))
    if len(points) > MOST_ROWS:
        yield tag("p", f"and {len(points) - MOST_ROWS} more in points.csv", class_="note")
