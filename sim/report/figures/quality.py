"""Signal to quantisation noise of each module by mantissa length."""

from __future__ import annotations

from collections.abc import Mapping

from sim.functional.quality import Quality
from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.vocabulary import MODULES, label, ordered


def quality_by_length(qualities: Mapping[int, Mapping[str, Quality]]) -> Figure:
    """A line a module; `qualities` by mantissa length, then by module."""
    modules = ordered({module for by_module in qualities.values() for module in by_module}, MODULES)
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": words(label(module)),
            "x": [bits for bits, by_module in qualities.items() if module in by_module],
            "y": [by_module[module].sqnr_decibels for by_module in qualities.values() if module in by_module],
        }
        for module in modules
    ]
    axes = {"xaxis": axis("mantissa bits", dtick=1), "yaxis": axis("signal to quantisation noise, dB")}
    return {"data": traces, "layout": layout(420, **axes)}
