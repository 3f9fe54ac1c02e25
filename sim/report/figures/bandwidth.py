"""DRAM's bandwidth over time: one instance of every layer after the other, as a share of what the pins could move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.quantities import percent, si
from sim.report.vocabulary import label
from sim.result import Result


def bandwidth(machines: Sequence[str], results: Sequence[Result], colour: Mapping[str, str]) -> Figure:
    """A line of steps a machine; `colour` of a machine by its name."""
    traces = []
    for machine, result in zip(machines, results, strict=True):
        layers = result.layers
        ends = list(accumulate(layer.cycles for layer in layers))
        shares = [layer.dram_bytes / layer.cycles / result.peak.dram_bytes_per_cycle for layer in layers]
        rates = [share * result.peak.dram_bytes_per_cycle * result.clock_hertz for share in shares]
        told = [
            f"{words(machine)}<br>{words(label(layer.name))}: {si(rate, 'B/s')}, {percent(share)} of the pins"
            for layer, rate, share in zip(layers, rates, shares, strict=True)
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": words(machine),
                "x": [cycle / result.clock_hertz for cycle in (0, *ends)],
                "y": [100 * share for share in (*shares, *shares[-1:])],
                "line": {"shape": "hv", "color": colour[machine]},
                "hoverinfo": "text",
                "hovertext": [*told, *told[-1:]],
            }
        )
    return {
        "data": traces,
        "layout": layout(
            320,
            xaxis=axis("time of one instance of every layer, seconds", rangemode="tozero"),
            yaxis=axis("DRAM's bandwidth in use, %", rangemode="tozero"),
            hovermode="closest",
        ),
    }
