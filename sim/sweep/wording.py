"""How points, axes and objectives are put into words, the same in terminal, page and hover."""

from __future__ import annotations

from typing import Any

from sim.report.quantities import si
from sim.sweep.results import QUANTITIES
from sim.sweep.view import Point, View

PREFIXED = ("", "s", "J", "B")
"""Units that take an SI prefix."""


def amount(quantity: str, value: Any) -> str:
    """A value of a result, a derived quantity or an objective, with its unit where that is known."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    unit = QUANTITIES[quantity].unit if quantity in QUANTITIES else None
    return si(value, unit) if unit in PREFIXED else f"{value:.4g} {unit or ''}".rstrip()


def objective_title(text: str) -> tuple[str, str]:
    """An objective as the title of an axis, and its unit."""
    return text.replace("_", " "), QUANTITIES[text].unit if text in QUANTITIES else ""


def hover(view: View, point: Point) -> list[str]:
    """Lines about a point: its number and config, its objectives, what limits it."""
    totals = point.stored.totals or {}
    objectives = dict(zip(view.sweep.objectives, point.objectives, strict=True))
    shown = objectives | {name: totals[name] for name in ("area", "dram_bytes") if name not in objectives}
    return [
        f"point {point.stored.number}: {point.stored.values['arch.name']}",
        *(f"{name} {value}" for name, value in (view.choices(point) | view.consequences(point)).items()),
        *(f"{name} = {amount(name, value)}" for name, value in (shown | point.verdict.derived).items()),
        str(totals.get("limit", "")),
    ]
