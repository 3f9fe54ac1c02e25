"""Runs the cases that the sections ask for, all of a section together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.machine.machine import Machine
from sim.result import Result
from sim.result.summarise import summarise
from sim.runs.runs import Runs
from sim.simulation import items_of
from sim.workload.gemm import Workload
from sim.workload.load import load_workload


@dataclass(frozen=True)
class PaperCase:
    """One machine on one workload: shipped names, and what differs from them (see `load_arch`, `load_workload`)."""

    arch: str
    model: str
    precision: str = "fp16"
    arch_overrides: tuple[str, ...] = ()
    model_overrides: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    """Options of the workload, such as ("tokens", 2048)."""


@cache
def arch_of(name: str, overrides: tuple[str, ...] = ()) -> Arch:
    """A machine, read once."""
    return load_arch(name, overrides)


def workload_of(case: PaperCase) -> Workload:
    """The workload of a case, whichever its machine; read once."""
    return _workload(case.model, case.precision, case.model_overrides, case.options)


@cache
def _workload(model: str, precision: str, overrides: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> Workload:
    return load_workload(model, precision=precision, overrides=overrides, **dict(options))


@cache
def _machine(name: str, overrides: tuple[str, ...]) -> Machine:
    return Machine(arch_of(name, overrides))


class CaseResults:
    """Results of cases.

    Parameters
    ----------
    runs
        What simulates their pieces.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self.progress: Callable[[int, int], None] = lambda done, total: None
        """Called with the number of pieces done and in all, of the cases in hand."""
        self._results: dict[PaperCase, Result] = {}

    def __call__(self, cases: Sequence[PaperCase]) -> list[Result]:
        """Results of the cases, in their order."""
        new = [case for case in dict.fromkeys(cases) if case not in self._results]
        machines = {case: _machine(case.arch, case.arch_overrides) for case in new}
        pieces = [
            machines[case].piece(item) for case in new for item in machines[case].steps(items_of(workload_of(case)))
        ]
        self._runs.prepare(pieces, lambda done, total, name: self.progress(done, total))
        for case in new:
            self._results[case] = summarise(machines[case], workload_of(case), self._runs)
        return [self._results[case] for case in cases]
