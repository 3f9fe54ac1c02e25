"""One axis at a time: what its levels do to the objectives, over all points."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from statistics import median
from typing import Any

from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.vocabulary import SPARE
from sim.sweep.view import Point, View, level_words

_COLUMNS, _PANEL = 3, 260  # pixels


def sensitivity(view: View) -> Figure:
    """A panel an axis, a colour an objective."""
    chosen = [one for one in view.varied if one.name not in view.group_axes]
    relative = list(_relative(view))
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for panel, one in enumerate(chosen, 1):
        levels = [level_words(one.name, level) for level in one.levels]
        axes[f"xaxis{panel}"] = axis(
            words(view.short[one.name].replace("_", " ")), type="category", categoryorder="array", categoryarray=levels
        )
        title = "relative to the median" if panel % _COLUMNS == 1 else ""
        axes[f"yaxis{panel}"] = axis(title, type="log", tickformat="~g", dtick="D2", matches="y")
        for index, text in enumerate(view.sweep.objectives):
            traces += _traces(view, one.name, index, text, relative, panel)
    rows = max(1, ceil(len(chosen) / _COLUMNS))
    columns = min(max(len(chosen), 1), _COLUMNS)
    grid = {"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.1, "ygap": 0.35}
    return {"data": traces, "layout": layout(80 + _PANEL * rows, grid=grid, **axes)}


def _relative(view: View) -> Iterator[tuple[Point, tuple[float, ...]]]:
    """Objectives of every feasible point over the median of its group, signs aside."""
    for points in view.comparable().values():
        middle = [median(column) for column in zip(*(point.objectives for point in points), strict=True)]
        for point in points:
            yield point, tuple(value / of if of else 1.0 for value, of in zip(point.objectives, middle, strict=True))


def _traces(
    view: View, name: str, index: int, text: str, relative: list[tuple[Point, tuple[float, ...]]], panel: int
) -> Iterator[dict[str, Any]]:
    levels: dict[str, list[float]] = {}
    for point, values in relative:
        levels.setdefault(level_words(name, point.levels[name]), []).append(values[index])
    colour = SPARE[index % len(SPARE)]
    for measure, dash in ((median, "solid"), (min, "dot")):
        heights = [measure(values) for values in levels.values()]
        what = "least" if measure is min else "median"
        yield {
            "type": "scatter",
            "mode": "lines+markers",
            "name": words(text.replace("_", " ")),
            "legendgroup": words(text),
            "showlegend": panel == 1 and measure is median,
            "x": list(levels),
            "y": heights,
            "xaxis": f"x{panel}",
            "yaxis": f"y{panel}",
            "line": {"color": colour, "dash": dash, "width": 1.5},
            "hoverinfo": "text",
            "hovertext": [
                f"{words(view.short[name])} {words(level)}<br>{words(text)}: {what} {height:.3g}, {len(values)} points"
                for (level, values), height in zip(levels.items(), heights, strict=True)
            ],
        }
