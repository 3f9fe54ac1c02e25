"""The roofline: what each GeMM achieves, under what its machine's arithmetic and DRAM allow.

    attainable MAC/s = min(peak MAC/s, MAC per DRAM byte x DRAM byte/s)

A ceiling is drawn once for all the machines that share it, at every peak that occurs, since the peak of a bit-serial
machine depends on the mantissa length. (Williams, Waterman, Patterson, "Roofline", CACM 2009.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import log10
from typing import Any

from sim.report.figures.frame import GREY, Figure, axis, layout, words
from sim.report.quantities import si
from sim.report.result import Layer, Result
from sim.report.vocabulary import MODULES, label, ordered

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Point:
    """GeMMs of one module that do equally well: MAC a DRAM byte, MAC a second, and their names."""

    module: str
    intensity: float
    speed: float
    names: tuple[str, ...]
    layer: Layer


@dataclass(frozen=True, order=True)
class Ceiling:
    """What a machine allows, in MAC a second and bytes a second."""

    speed: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The MAC a byte from which on arithmetic limits."""
        return self.speed / self.bandwidth


def points(result: Result) -> list[Point]:
    """The GeMMs that read or write DRAM, equal ones together."""
    alike: dict[tuple[str, float, float], list[Layer]] = {}
    for layer in result["layers"]:
        if layer["macs"] and layer["dram_bytes"]:
            speed = layer["macs"] / layer["cycles"] * result["clock_hertz"]
            alike.setdefault((layer["module"], layer["macs"] / layer["dram_bytes"], speed), []).append(layer)
    return [
        Point(module, intensity, speed, tuple(dict.fromkeys(layer["name"] for layer in layers)), layers[0])
        for (module, intensity, speed), layers in alike.items()
    ]


def ceilings(result: Result) -> set[Ceiling]:
    """A ceiling for every peak at which a GeMM of the result runs."""
    clock = result["clock_hertz"]
    bandwidth = result["peak"]["dram_bytes_per_cycle"] * clock
    return {Ceiling(layer["peak_macs_per_cycle"] * clock, bandwidth) for layer in result["layers"] if layer["macs"]}


def roofline(machines: Sequence[str], results: Sequence[Result], colour: Mapping[str, str]) -> Figure:
    """Log-log; `colour` of a machine by its name. Machines that share a point show as rings around one another."""
    found = [points(result) for result in results]
    sharing: dict[Ceiling, list[str]] = {}
    for machine, result in zip(machines, results, strict=True):
        for ceiling in ceilings(result):
            sharing.setdefault(ceiling, []).append(machine)
    intensities = [one.intensity for group in found for one in group] + [ceiling.ridge for ceiling in sharing]
    speeds = [one.speed for group in found for one in group] + [ceiling.speed for ceiling in sharing]
    if not intensities:
        return {"data": [], "layout": layout(120)}
    left, right = min(intensities) / 3, max(intensities) * 3
    modules = ordered((one.module for group in found for one in group), MODULES)
    symbol = dict(zip(modules, cycle(_SYMBOLS), strict=False))
    traces = [_line(ceiling, names, left, right) for ceiling, names in sorted(sharing.items())]
    for index, (machine, group) in enumerate(zip(machines, found, strict=True)):
        traces.append(_dots(machine, group, symbol, colour[machine], size=9 + 4 * (index % 7)))
    traces += [_key(module, symbol[module]) for module in modules]
    return {
        "data": traces,
        "layout": layout(
            520,
            xaxis=axis("arithmetic intensity, MAC per DRAM byte", type="log", range=[log10(left), log10(right)], dtick="D2"),
            yaxis=axis(
                "achieved, MAC/s",
                type="log",
                range=[log10(min(speeds) / 2), log10(max(speeds) * 2)],
                tickformat="~s",
                dtick="D2",
            ),
            annotations=[
                {"x": 1, "xref": "paper", "y": log10(ceiling.speed), "text": f"{si(ceiling.speed, 'MAC/s')} {_few(names)}"}
                | {"xanchor": "left", "yanchor": "middle", "xshift": 4, "showarrow": False, "font": {"size": 12}}
                for ceiling, names in sharing.items()
            ],
            hovermode="closest",
            margin={"l": 10, "r": 20 + 7 * max(len(_few(names)) + 14 for names in sharing.values()), "t": 10, "b": 10},
        ),
    }


def _line(ceiling: Ceiling, machines: Sequence[str], left: float, right: float) -> dict[str, Any]:
    start = min(left, ceiling.ridge)
    words_ = f"{si(ceiling.speed, 'MAC/s')} and {si(ceiling.bandwidth, 'B/s')}<br>{_few(machines)}"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [start, ceiling.ridge, right],
        "y": [start * ceiling.bandwidth, ceiling.speed, ceiling.speed],
        "line": {"color": GREY, "width": 1.5},
        "hoverinfo": "text",
        "hovertext": words_,
        "showlegend": False,
    }


def _dots(machine: str, group: Sequence[Point], symbol: Mapping[str, str], colour: str, size: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": words(machine),
        "x": [one.intensity for one in group],
        "y": [one.speed for one in group],
        "marker": {
            "symbol": [f"{symbol[one.module]}-open" for one in group],
            "size": size,
            "color": colour,
            "line": {"width": 2},
        },
        "hoverinfo": "text",
        "hovertext": [_told(machine, one) for one in group],
    }


def _key(module: str, symbol: str) -> dict[str, Any]:
    """A legend entry for the shape of a module's points."""
    marker = {"symbol": f"{symbol}-open", "size": 9, "color": GREY, "line": {"width": 2}}
    return {"type": "scatter", "mode": "markers", "name": words(label(module)), "x": [None], "y": [None], "marker": marker}


def _told(machine: str, point: Point) -> str:
    layer = point.layer
    bits = f", M = {layer['mantissa_bits']}" if layer["mantissa_bits"] else ""
    lines = (
        f"<b>{_few(point.names)}</b>, {words(machine)}",
        f"{layer['m']} x {layer['k']} x {layer['n']} (m x k x n){bits}",
        f"{point.intensity:.4g} MAC/B, {si(point.speed, 'MAC/s')}",
        f"{layer['macs'] / layer['cycles']:.4g} of at most {layer['peak_macs_per_cycle']:.4g} MAC a cycle",
        f"limit: {words(layer['limit']['text'])}",
    )
    return "<br>".join(lines)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return words(", ".join(names[:_NAMES_SHOWN])) + more
