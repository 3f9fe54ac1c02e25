"""The eight systems that the paper compares, as cases to run, and the ratios it compares them by.

times    ratio of the total times (energies) of a model
modules  mean of the ratios of its modules, weighted with their multiply-accumulates
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.reproduce.bench import CaseResults, PaperCase
from sim.reproduce.cells import Role
from sim.reproduce.published import Published
from sim.result import Module, Result

LABELS = {
    "fp-fp": "FP-FP",
    "fp-int": "FP-INT",
    "ifpu": "iFPU",
    "figna": "FIGNA",
    "figna-m11": "FIGNA-M11",
    "figna-m8": "FIGNA-M8",
    "anda-hpca25": "Anda",
}
DATASETS = {"wikitext2": "WikiText2", "ptb": "PTB", "c4": "C4"}
MEANS = {"times": "total times", "modules": "mean of modules"}


@dataclass(frozen=True)
class System:
    """A machine, and for Anda the tolerance that its mantissa lengths were chosen for."""

    name: str
    arch: str
    tolerance: str | None = None

    @property
    def label(self) -> str:
        return f"{LABELS[self.arch]} {self.tolerance.replace('%', ' %')}" if self.tolerance else LABELS[self.arch]

    def case(self, model: str, dataset: str = "wikitext2", **more: Any) -> PaperCase:
        """This system on a model, with the mantissa lengths of a data set."""
        precision = f"{dataset}-{self.tolerance}" if self.tolerance else "fp16"
        return PaperCase(self.arch, model, precision, **more)


def systems(paper: Published) -> list[System]:
    """The systems in the paper's order; the first is the baseline."""
    return [System(name, row.arch, row.tolerance) for name, row in paper.systems.machines.items()]


def run_all(bench: CaseResults, chosen: Sequence[System], models: Sequence[str], **more: Any) -> list[list[Result]]:
    """Results by system, then model."""
    cases = [[system.case(model, **more) for model in models] for system in chosen]
    results = iter(bench([case for row in cases for case in row]))
    return [[next(results) for _ in row] for row in cases]


def speedup(base: Result, own: Result, mean: str) -> float:
    """How many times faster `own` is, as ratio of total times or mean of modules."""
    if mean == "times":
        return base.totals.seconds / own.totals.seconds
    return _module_mean(base, own, lambda module: module.cycles) * (own.clock_hertz / base.clock_hertz)


def energy_ratio(base: Result, own: Result, mean: str) -> float:
    """How many times less energy `own` takes, as ratio of totals or mean of modules."""
    if mean == "times":
        return base.totals.energy_picojoules / own.totals.energy_picojoules
    return _module_mean(base, own, lambda module: module.energy_picojoules)


def _module_mean(base: Result, own: Result, figure: Callable[[Module], float]) -> float:
    modules = [(base.modules[name], module) for name, module in own.modules.items()]
    return sum(figure(theirs) / figure(mine) * mine.macs for theirs, mine in modules) / own.totals.macs


def role_of_speed(system: System, baseline: System) -> Role:
    """The baseline's speed is 1, and other bit-parallel PEs have the lanes that give theirs; Anda's is predicted."""
    if system.name == baseline.name:
        return Role.INPUT
    return Role.PREDICTED if system.tolerance else Role.FITTED


def geometric_mean(values: Iterable[float]) -> float:
    """The mean that the paper takes over models."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))
