"""Parallel coordinates: a line a design, across its levels and its objectives.

Drawn with plain lines: plotly's own parallel coordinates need WebGL and code made at run time, which the page's policy
forbids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

from sim.report.figures.frame import GREY, Figure, axis, layout, words
from sim.sweep.axes import Axis
from sim.sweep.figures.marks import blend, dominated, logarithmic, thinned, told
from sim.sweep.view import Group, Point, View, level_words, yaml_flow
from sim.sweep.wording import amount

MOST_FRONT, MOST_DOMINATED, MOST_LABELS = 150, 150, 9


@dataclass(frozen=True)
class _Dimension:
    """A vertical line: its title, where on it (0 to 1) a point lies, and its labels."""

    title: str
    place: Callable[[Point], float]
    labels: dict[float, str]


def parallel(view: View, group: Group) -> Figure:
    """Lines of the front over a part of the dominated ones."""
    others = thinned(dominated(view, group), MOST_DOMINATED)
    front = thinned(sorted(view.groups[group], key=lambda point: point.objectives), MOST_FRONT)
    dimensions = _dimensions(view, [*others, *front])
    first = _objective(0, view.sweep.objectives[0], front)
    across: list[int | None] = [*range(len(dimensions)), None]
    grey = {
        "type": "scatter",
        "mode": "lines",
        "name": "dominated",
        "x": across * len(others),
        "y": [place for point in others for place in (*(one.place(point) for one in dimensions), None)],
        "line": {"color": "rgba(128,128,128,0.10)", "width": 1},
        "hoverinfo": "skip",
    }
    lines = [_line(view, point, dimensions, blend(first.place(point))) for point in front]
    return {
        "data": [grey, *lines],
        "layout": layout(
            490,
            margin={"l": 10, "r": 20, "t": 40, "b": 10},  # the buttons stand above the titles
            showlegend=False,
            hovermode="closest",
            annotations=[label for index, one in enumerate(dimensions) for label in _labels(index, one)],
            xaxis=axis("", range=[-0.3, len(dimensions) - 0.35], showticklabels=False, dtick=1, zeroline=False),
            yaxis=axis("", range=[-0.08, 1.16], showticklabels=False, showgrid=False, zeroline=False),
        ),
    }


def _line(view: View, point: Point, dimensions: list[_Dimension], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(range(len(dimensions))),
        "y": [one.place(point) for one in dimensions],
        "line": {"color": colour, "width": 1.5},
        "marker": {"size": 5},
        "customdata": [point.command()] * len(dimensions),
        "hoverinfo": "text",
        "hovertext": [told(view, point)] * len(dimensions),
    }


def _dimensions(view: View, points: list[Point]) -> list[_Dimension]:
    chosen = [one for one in view.varied if one.name not in view.group_axes]
    return [_levels(view.short[one.name], one, points) for one in chosen] + [
        _objective(index, text, points) for index, text in enumerate(view.sweep.objectives)
    ]


def _levels(title: str, chosen: Axis, points: list[Point]) -> _Dimension:
    """Levels at equal distances, numbers in their order."""
    name, used = chosen.name, {yaml_flow(point.levels[chosen.name]) for point in points}
    values = [level for level in chosen.levels if yaml_flow(level) in used]
    if all(isinstance(value, int | float) for value in values):
        values.sort()
    places = {yaml_flow(value): index / max(len(values) - 1, 1) for index, value in enumerate(values)}
    labels = {place: level_words(name, value) for value, place in zip(values, places.values(), strict=True)}
    if len(labels) > MOST_LABELS:
        labels = {0.0: labels[0.0], 1.0: labels[1.0]}
    return _Dimension(title, lambda point: places[yaml_flow(point.levels[name])], labels)


def _objective(index: int, text: str, points: list[Point]) -> _Dimension:
    values = [point.objectives[index] for point in points]
    scale: Callable[[float], float] = log if logarithmic(values) else float
    low, high = scale(min(values)), scale(max(values))
    labels = {0.0: amount(text, min(values)), 1.0: amount(text, max(values))}
    return _Dimension(text, lambda point: (scale(point.objectives[index]) - low) / ((high - low) or 1), labels)


def _labels(index: int, dimension: _Dimension) -> list[dict[str, Any]]:
    shared = {"x": index, "showarrow": False, "font": {"size": 11, "color": GREY}}
    title = words(dimension.title.replace("_", " ")).replace(" per ", "<br>per ").replace(" to ", "<br>to ")
    labels = [{**shared, "y": 1.14, "text": f"<b>{title}</b>", "yanchor": "top"}]
    return labels + [
        {**shared, "y": place, "text": words(text), "xanchor": "left", "xshift": 4}
        for place, text in dimension.labels.items()
    ]
