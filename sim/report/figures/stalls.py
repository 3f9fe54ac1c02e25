"""Where the cycles of every unit went: busy, stalled by cause, idle; a panel a machine."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.quantities import percent, si
from sim.report.vocabulary import STATES, UNITS, colours, label, ordered, state_words
from sim.result import Result, UnitTime

_BAR, _PANEL_TITLE = 19, 46  # pixels


def cycles_by_state(unit: UnitTime) -> dict[str, int]:
    """The unit's cycles under `busy`, `idle` and every cause of a stall; they add up to the cycles of the run."""
    return {"busy": unit.busy_cycles, **unit.stalled_cycles, "idle": unit.idle_cycles}


def stalls(machines: Sequence[str], results: Sequence[Result]) -> Figure:
    """Stacked bars, a unit each, in percent of the cycles of its machine's run."""
    columns = min(len(results), 3)
    units = ordered((name for result in results for name in result.units), UNITS)
    found = (
        state
        for result in results
        for unit in result.units.values()
        for state, cycles in cycles_by_state(unit).items()
        if cycles
    )
    colour = colours(found, STATES)
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    titles = []
    for index, (machine, result) in enumerate(zip(machines, results, strict=True)):
        number = str(index + 1) if index else ""
        x, y = f"x{number}", f"y{number}"
        last_row = index + columns >= len(results)
        axes[f"xaxis{number}"] = axis("% of cycles" if last_row else "", range=[0, 100])
        axes[f"yaxis{number}"] = axis(
            "",
            type="category",
            categoryorder="array",
            categoryarray=[words(label(unit)) for unit in units],
            range=[len(units) - 0.5, -0.5],
            showticklabels=index % columns == 0,
            showgrid=False,
        )
        titles.append(
            {"text": f"<b>{words(machine)}</b>", "xref": f"{x} domain", "yref": f"{y} domain"}
            | {"x": 0, "y": 1, "yanchor": "bottom", "showarrow": False}
        )
        traces += [
            _trace(state, colour[state], result, units) | {"xaxis": x, "yaxis": y, "showlegend": index == 0}
            for state in colour
        ]
    rows = ceil(len(results) / columns)
    height = rows * (_PANEL_TITLE + _BAR * len(units)) + 80
    return {
        "data": traces,
        "layout": layout(
            height,
            barmode="stack",
            bargap=0.2,
            grid={"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.06, "ygap": 0.2},
            annotations=titles,
            legend={"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "traceorder": "normal"},
            margin={"l": 10, "r": 20, "t": 70, "b": 10},
            **axes,
        ),
    }


def _trace(state: str, colour: str, result: Result, units: Sequence[str]) -> dict[str, Any]:
    total = result.totals.cycles
    present = [name for name in units if name in result.units]
    cycles = [cycles_by_state(result.units[name]).get(state, 0) for name in present]
    kind = state_words(state)
    return {
        "type": "bar",
        "orientation": "h",
        "name": words(kind),
        "legendgroup": words(state),
        "y": [words(label(name)) for name in present],
        "x": [100 * count / total for count in cycles],
        "marker": {"color": colour},
        "hoverinfo": "text",
        "hovertext": [
            f"{words(label(name))} {words(kind)}<br>{si(count)} cycles, {percent(count / total)}"
            for name, count in zip(present, cycles, strict=True)
        ],
    }
