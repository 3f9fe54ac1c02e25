"""Where the cycles between two results come from: by cause and by module, each adding up to the cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from sim.errors import InputError
from sim.laws.conservation import require_equal
from sim.laws.waterfall import LOSSES
from sim.result import Result

USEFUL = "useful"


@dataclass(frozen=True)
class CycleGap:
    """Cycles of the second result beyond those of the first, by cause and by module.

    A cause's cycles are its multiplier-cycles over the machine's multipliers, so that machines of different sizes
    compare: twice the multipliers do the useful work in half the cycles.

    Raises
    ------
    BrokenLawError
        Where either does not add up to the difference.
    """

    cycles: int
    causes: Mapping[str, Fraction]
    modules: Mapping[str, int]

    def __post_init__(self) -> None:
        require_equal("explain", "causes that add up", sum(self.causes.values()) == self.cycles, True)
        require_equal("explain", "modules add up to the difference", sum(self.modules.values()), self.cycles)


def difference(first: Result, second: Result) -> CycleGap:
    """Where the cycles between two results of the same work come from.

    Raises
    ------
    InputError
        Where the work is not the same.
    """
    if first.totals.macs != second.totals.macs:
        raise InputError(
            "results of different work",
            field="RESULT",
            facts={"first": f"{first.totals.macs:,} MACs", "second": f"{second.totals.macs:,} MACs"},
        )
    before, after = _cycles(first), _cycles(second)
    return CycleGap(
        second.totals.cycles - first.totals.cycles,
        {
            name: gap
            for name in (USEFUL, *LOSSES)
            if (gap := after.get(name, Fraction()) - before.get(name, Fraction()))
        },
        {
            name: more
            for name in dict.fromkeys((*first.modules, *second.modules))
            if (more := _of_module(second, name) - _of_module(first, name))
        },
    )


def _cycles(result: Result) -> dict[str, Fraction]:
    waterfall = result.waterfall
    parts = {USEFUL: waterfall.useful, **waterfall.losses}
    return {name: Fraction(part, waterfall.multipliers) for name, part in parts.items()}


def _of_module(result: Result, name: str) -> int:
    return result.modules[name].cycles if name in result.modules else 0
