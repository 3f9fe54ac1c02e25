"""Every pair of objectives, the front over the dominated points."""

from __future__ import annotations

from itertools import combinations
from math import ceil
from typing import Any

from sim.report.figures.frame import Figure, axis, layout, words
from sim.sweep.figures.marks import DOMINATED, FRONT, dominated, logarithmic, thinned, told
from sim.sweep.view import Group, Point, View
from sim.sweep.wording import PREFIXED, objective_title

MOST_DOMINATED = 1500
_COLUMNS, _PANEL = 2, 380  # pixels


def fronts(view: View, group: Group) -> Figure:
    """A panel for each pair of objectives; a single objective stands over the points' numbers."""
    others = thinned(dominated(view, group), MOST_DOMINATED)
    front = sorted(view.groups[group], key=lambda point: point.objectives)
    pairs: list[tuple[int | None, int]] = [*combinations(range(len(view.sweep.objectives)), 2)] or [(None, 0)]
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for panel, (x, y) in enumerate(pairs, 1):
        for name, points, marker in (
            ("dominated", others, {"color": DOMINATED, "size": 5}),
            ("front", front, {"color": FRONT, "size": 9}),
        ):
            traces.append(_trace(view, name, points, x, y, marker, panel))
        axes[f"xaxis{panel}"] = _axis(view, [*others, *front], x)
        axes[f"yaxis{panel}"] = _axis(view, [*others, *front], y)
    rows = ceil(len(pairs) / _COLUMNS)
    return {
        "data": traces,
        "layout": layout(
            60 + _PANEL * rows,
            grid={
                "rows": rows,
                "columns": min(len(pairs), _COLUMNS),
                "pattern": "independent",
                "xgap": 0.12,
                "ygap": 0.2,
            },
            hovermode="closest",
            **axes,
        ),
    }


def _value(point: Point, objective: int | None) -> float:
    return point.stored.number if objective is None else point.objectives[objective]


def _axis(view: View, points: list[Point], objective: int | None) -> dict[str, Any]:
    title, unit = ("point", "") if objective is None else objective_title(view.sweep.objectives[objective])
    values = [_value(point, objective) for point in points]
    kind = "log" if logarithmic(values) else "linear"
    ticks: dict[str, Any] = {"tickformat": "~s" if unit in PREFIXED else "~g"}
    if kind == "log":
        ticks["dtick"] = "D2"
    if kind == "linear" and unit in PREFIXED:
        ticks["ticksuffix"] = unit
    elif unit:  # on a logarithmic axis plotly puts no unit to its 2 and 5
        title = f"{title}, {unit}"
    return axis(words(title), type=kind, **ticks)


def _trace(
    view: View, name: str, points: list[Point], x: int | None, y: int, marker: dict[str, Any], panel: int
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "legendgroup": name,
        "showlegend": panel == 1,
        "x": [_value(point, x) for point in points],
        "y": [_value(point, y) for point in points],
        "xaxis": f"x{panel}",
        "yaxis": f"y{panel}",
        "marker": marker,
        "customdata": [point.command() for point in points],
        "hoverinfo": "text",
        "hovertext": [told(view, point) for point in points],
    }
