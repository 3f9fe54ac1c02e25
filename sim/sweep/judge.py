"""A point judged: its derived quantities, the constraints it breaks, its objectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sim.errors import InputError
from sim.sweep.formulas import Formulas
from sim.sweep.results import PointTotals, quantity
from sim.sweep.space import reason


@dataclass(frozen=True)
class PointVerdict:
    """What the sweep's expressions say of a point.

    Parameters
    ----------
    objectives
        To minimise; None where the point failed.
    broken
        Texts of the constraints that do not hold.
    failure
        Why there are no objectives.
    """

    objectives: tuple[float, ...] | None
    derived: dict[str, Any] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def feasible(self) -> bool:
        return self.objectives is not None and not self.broken


def judge(
    formulas: Formulas, config: Callable[[str], Any], totals: PointTotals | None, failure: str | None
) -> PointVerdict:
    """Judge a stored point; `config` gives the value of a key of it."""
    if totals is None:
        return PointVerdict(None, failure=failure)
    look = formulas.lookup(config, partial(quantity, totals))
    try:
        return PointVerdict(
            objectives=tuple(_number(one(look), one.text) for one in formulas.objectives),
            derived={name: expression(look) for name, expression in formulas.derived.items()},
            broken=tuple(one.text for one in (*formulas.before, *formulas.after) if not one(look)),
        )
    except InputError as error:
        return PointVerdict(None, failure=reason(error))


def _number(value: Any, text: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{text}: expected a number, found {value!r}", field="objectives")
    return value
