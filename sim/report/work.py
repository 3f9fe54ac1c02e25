"""What a result did: its GeMMs, and one line that says so."""

from __future__ import annotations

from collections import Counter

from sim.report.vocabulary import label
from sim.result import Result

Shape = tuple[int | None, int | None, int | None]


def shapes(result: Result) -> Counter[Shape]:
    """How often each shape (m, k, n) occurs; work of the vector unit has the shape of Nones.

    What a machine does beside, such as quantising, is its own: it is no work that was asked for.
    """
    found: Counter[Shape] = Counter()
    for layer in result.layers:
        if layer.unit != "quantiser" and layer.module != "quantise":
            found[layer.m, layer.k, layer.n] += layer.count
    return found


def work_details(result: Result) -> str:
    """Phases and settings, such as `prefill; batch 1; tokens 2048; scope fp-int; precision wikitext2-1%`."""
    phases = " + ".join(dict.fromkeys(layer.phase for layer in result.layers))
    return "; ".join([phases, *(f"{label(key)} {text}" for key, text in settings(result).items() if key != "phase")])


def settings(result: Result) -> dict[str, str]:
    """What was asked of the workload, if it takes settings at all: tokens, batch, scope, precision."""
    return {
        key: " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in result.workload.get("run", {}).items()
    }


def scope(result: Result) -> str:
    """Which part of a model was simulated, in words."""
    return {"fp-int": "weight GeMMs alone", "all": "whole model"}.get(settings(result).get("scope", ""), "phase")
