"""Design against design on the same work: labels, speedups and efficiencies relative to a baseline.

speedup           = seconds of the baseline / seconds of the machine
energy efficiency = energy of the baseline  / energy of the machine
area efficiency   = speedup x area of the baseline / area of the machine
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from sim.errors import InputError
from sim.report.vocabulary import MODULES, ordered
from sim.report.work import settings, shapes
from sim.result import Result


@dataclass(frozen=True)
class Standing:
    """One machine beside the baseline; ratios above 1 are better than the baseline."""

    label: str
    result: Result
    speedup: float
    energy_efficiency: float
    area_efficiency: float
    module_speedups: dict[str, float]


def standings(results: Sequence[Result], baseline: int = 0) -> list[Standing]:
    """Every machine against `results[baseline]`, in the order given.

    Raises
    ------
    InputError
        Where the results are not of the same work.
    """
    base = results[baseline]
    names = labels(results)
    for name, result in zip(names, results, strict=True):
        if shapes(result) != shapes(base):
            raise InputError(
                "does other work than the baseline, so no speedup can be told",
                field=name,
                facts={"found": _work_text(result), "allowed": f"{_work_text(base)}, as {names[baseline]} does"},
            )
    return [_standing(name, result, base) for name, result in zip(names, results, strict=True)]


def labels(results: Sequence[Result]) -> list[str]:
    """A name for every result: its machine's; where machines share one, with precision, else number, behind it."""
    names = [result.machine_name for result in results]
    precise = [_with_precision(name, result) for name, result in zip(names, results, strict=True)]
    shared = Counter(names)
    chosen = [full if shared[name] > 1 else name for name, full in zip(names, precise, strict=True)]
    unique: list[str] = []
    for name in chosen:
        candidates = (f"{name} #{number}" for number in count(2))
        unique.append(name if name not in unique else next(new for new in candidates if new not in unique))
    return unique


def module_names(results: Sequence[Result]) -> list[str]:
    """Every module that occurs in a result, in the order of the vocabulary."""
    return ordered((name for result in results for name in result.modules), MODULES)


def _with_precision(name: str, result: Result) -> str:
    return f"{name} {settings(result).get('precision', '')}".rstrip()


def _standing(name: str, result: Result, base: Result) -> Standing:
    speedup = base.totals.seconds / result.totals.seconds
    return Standing(
        label=name,
        result=result,
        speedup=speedup,
        energy_efficiency=base.totals.energy_picojoules / result.totals.energy_picojoules,
        area_efficiency=speedup * base.totals.area_square_millimetres / result.totals.area_square_millimetres,
        module_speedups={
            module: (base.modules[module].cycles / base.clock_hertz) / (own.cycles / result.clock_hertz)
            for module, own in result.modules.items()
            if own.cycles and module in base.modules
        },
    )


def _work_text(result: Result) -> str:
    return f"{result.workload_name}, {result.totals.macs} MACs in {shapes(result).total()} operations"
