"""What a format does to the outputs of a trace: by GeMM as rows, by module in a terminal, by length on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sim.functional.quality import Quality
from sim.functional.replay import Replayed
from sim.report.document import document, drawn
from sim.report.figures.quality import quality_by_length
from sim.report.markup import join, table, tag
from sim.report.vocabulary import MODULES, label, ordered

if TYPE_CHECKING:
    from rich.console import Console

HEADINGS = ("module", "SQNR, dB", "largest error", "mean error", "cosine", "overflows")


def value_rows(replayed: Sequence[Replayed]) -> list[dict[str, Any]]:
    """A row a GeMM, as JSON and CSV hold them; SQNR is None where nothing differs."""
    return [
        {
            "name": one.record.name,
            "module": one.record.module,
            "phase": one.record.phase,
            "step": one.record.step,
            "m": one.record.m,
            "k": one.record.k,
            "n": one.record.n,
            "mantissa_bits": one.mantissa_bits,
            "weight_bits": one.weight_bits,
            "tiles": one.tiles,
            "overflows": one.quality.overflows,
            "sqnr_decibels": one.quality.sqnr_decibels if math.isfinite(one.quality.sqnr_decibels) else None,
            "largest_error": one.quality.largest_error,
            "mean_error": one.quality.mean_error,
            "cosine": one.quality.cosine,
        }
        for one in replayed
    ]


def print_values(qualities: Mapping[str, Quality], console: Console) -> None:
    """A line a module."""
    from rich.table import Table

    shown = Table(HEADINGS[0], box=None)
    for heading in HEADINGS[1:]:
        shown.add_column(heading, justify="right")
    for cells in _cells(qualities):
        shown.add_row(*cells)
    console.print(shown)


def values_page(title: str, qualities: Mapping[int, Mapping[str, Quality]]) -> str:
    """The page's text: noise by mantissa length, and the figures of each length."""
    sections = [
        part
        for bits, of_modules in qualities.items()
        for part in (tag("h2", f"{bits} mantissa bits"), table(HEADINGS, _cells(of_modules)))
    ]
    note = "Outputs against FP16 activations times the same weights in float64."
    body = join([tag("h1", title), tag("p", note), drawn(quality_by_length(qualities), note), *sections])
    return document(title, body)


def _cells(qualities: Mapping[str, Quality]) -> list[tuple[str, ...]]:
    return [
        (
            label(module),
            f"{qualities[module].sqnr_decibels:.2f}",
            f"{qualities[module].largest_error:.3g}",
            f"{qualities[module].mean_error:.3g}",
            f"{qualities[module].cosine:.7f}",
            str(qualities[module].overflows),
        )
        for module in ordered(qualities, MODULES)
    ]
