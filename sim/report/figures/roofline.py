"""The roofline drawn: every GeMM under the ceilings of its machine, log-log.

Machines that share a ceiling share its line; machines that share a point show as rings around one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import inf, log10
from typing import Any

from sim.report.figures.frame import GREY, Figure, axis, layout, words
from sim.report.quantities import si
from sim.report.roofline import Ceiling, RooflinePoint, ceilings, points
from sim.report.vocabulary import MODULES, label, ordered
from sim.result import Result

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
_NAMES_SHOWN = 4
# Pixels; what the axes and the legend leave of the height is at least _PLOT.
_HEIGHT, _PLOT, _LINE, _LETTER = 520, 380, 16, 7


def roofline(machines: Sequence[str], results: Sequence[Result], colour: Mapping[str, str]) -> Figure:
    """Points and ceilings of every machine; `colour` of a machine by its name."""
    found = [points(result) for result in results]
    sharing: dict[Ceiling, list[str]] = {}
    for machine, result in zip(machines, results, strict=True):
        for ceiling in ceilings(result):
            sharing.setdefault(ceiling, []).append(machine)
    if not sharing:
        return {"data": [], "layout": layout(_LINE)}
    across = [one.intensity for group in found for one in group] + [ceiling.ridge for ceiling in sharing]
    up = [one.speed for group in found for one in group] + [ceiling.speed for ceiling in sharing]
    left, right, bottom, top = min(across) / 3, max(across) * 3, min(up) / 2, max(up) * 2
    modules = ordered((one.module for group in found for one in group), MODULES)
    symbol = {name: f"{shape}-open" for name, shape in zip(modules, cycle(_SYMBOLS), strict=False)}
    labels = _labels(sharing, bottom, top)
    return {
        "data": [
            *(_line(ceiling, names, left, right) for ceiling, names in sorted(sharing.items())),
            *(
                _dots(machine, group, symbol, colour[machine], size=9 + 4 * (index % 7))
                for index, (machine, group) in enumerate(zip(machines, found, strict=True))
            ),
            *(_key(module, symbol[module]) for module in modules),
        ],
        "layout": layout(
            _HEIGHT,
            xaxis=_log_axis("arithmetic intensity, MAC per DRAM byte", left, right, "~r"),
            yaxis=_log_axis("achieved, MAC/s", bottom, top, "~s"),
            annotations=labels,
            hovermode="closest",
            margin={"l": 10, "r": 20 + _LETTER * max(len(one["text"]) for one in labels), "t": 10, "b": 10},
        ),
    }


def _log_axis(title: str, low: float, high: float, numbers: str) -> dict[str, Any]:
    """Logarithmic, labelled at 1, 2 and 5, over a decade at every digit."""
    digits = "D2" if high > 20 * low else "D1"
    return axis(title, type="log", range=[log10(low), log10(high)], tickformat=numbers, dtick=digits)


def _labels(sharing: Mapping[Ceiling, Sequence[str]], bottom: float, top: float) -> list[dict[str, Any]]:
    """What each ceiling is and whose, beside its end, moved up where it would cover the one below."""
    labels: list[dict[str, Any]] = []
    last = -inf
    for ceiling, machines in sorted(sharing.items()):
        place = _PLOT * log10(ceiling.speed / bottom) / log10(top / bottom)
        shown = max(place, last + _LINE)
        last = shown
        labels.append(
            {
                "text": f"{si(ceiling.speed, 'MAC/s')} {_few(machines)}",
                "x": 1,
                "xref": "paper",
                "xanchor": "left",
                "xshift": 4,
                "y": log10(ceiling.speed),
                "yanchor": "middle",
                "yshift": shown - place,
                "showarrow": False,
                "font": {"size": 12},
            }
        )
    return labels


def _line(ceiling: Ceiling, machines: Sequence[str], left: float, right: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [left, ceiling.ridge, right],
        "y": [left * ceiling.bandwidth, ceiling.speed, ceiling.speed],
        "line": {"color": GREY, "width": 1.5},
        "hoverinfo": "text",
        "hovertext": f"{si(ceiling.speed, 'MAC/s')}, {si(ceiling.bandwidth, 'B/s')}<br>{_few(machines)}",
        "showlegend": False,
    }


def _dots(
    machine: str, group: Sequence[RooflinePoint], symbol: Mapping[str, str], colour: str, size: int
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": words(machine),
        "x": [one.intensity for one in group],
        "y": [one.speed for one in group],
        "marker": {
            "symbol": [symbol[one.module] for one in group],
            "size": size,
            "color": colour,
            "line": {"width": 2},
        },
        "hoverinfo": "text",
        "hovertext": [_told(machine, one) for one in group],
    }


def _key(module: str, symbol: str) -> dict[str, Any]:
    """A legend entry for the shape of a module's points."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": words(label(module)),
        "x": [None],
        "y": [None],
        "marker": {"symbol": symbol, "size": 9, "color": GREY, "line": {"width": 2}},
    }


def _told(machine: str, point: RooflinePoint) -> str:
    layer = point.layer
    bits = f", M = {layer.mantissa_bits}" if layer.mantissa_bits else ""
    lines = (
        f"<b>{_few(point.names)}</b>, {words(machine)}",
        f"m x k x n = {layer.m} x {layer.k} x {layer.n}{bits}",
        f"{point.intensity:.4g} MAC a byte, {si(point.speed, 'MAC/s')}",
        f"{layer.macs / layer.cycles:.4g} of at most {layer.peak_macs_per_cycle:.4g} MAC a cycle",
        words(layer.limit.text),
    )
    return "<br>".join(lines)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return words(", ".join(names[:_NAMES_SHOWN])) + more
