"""Runs the cases that the sections ask for: each different piece of work once, on all cores, remembered on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sim.arch.load import load_arch
from sim.arch.schema import Arch, Schedule
from sim.best_schedule import best_schedule
from sim.machine.assembly import Options, Run
from sim.machine.machine import Machine
from sim.reproduce.store import Store
from sim.simulation import Key, Result, plain, timing_key
from sim.summary import summarise
from sim.workload.gemm import Gemm, Item, Workload
from sim.workload.load import load_workload


@dataclass(frozen=True)
class Case:
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


def workload_of(case: Case) -> Workload:
    """The workload of a case, whichever its machine; read once."""
    return _workload(case.model, case.precision, case.model_overrides, case.options)


@cache
def _workload(model: str, precision: str, overrides: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> Workload:
    return load_workload(model, precision=precision, overrides=overrides, **dict(options))


@cache
def _machine(name: str, overrides: tuple[str, ...]) -> Machine:
    return Machine(arch_of(name, overrides))


class Bench:
    """Simulates cases on `jobs` processes; use as a context manager.

    Parameters
    ----------
    store
        Where runs are kept.
    """

    def __init__(self, store: Store, jobs: int) -> None:
        self._store, self._jobs = store, jobs
        self.progress: Callable[[int, int], object] = lambda done, total: None
        """Called with the number of pieces done and in all, of the cases in hand."""
        self._runs: dict[Key, Run] = {}
        self._results: dict[Case, Result] = {}
        self._pool: ProcessPoolExecutor | None = None
        self.simulated = 0
        """Pieces that were simulated, not found in the store."""

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def __call__(self, cases: Sequence[Case]) -> list[Result]:
        """Results of the cases, in their order."""
        new = [case for case in dict.fromkeys(cases) if case not in self._results]
        self._simulate(new)
        for case in new:
            machine = _machine(case.arch, case.arch_overrides)
            self._results[case] = summarise(machine, workload_of(case), partial(self._find, machine), Options())
        return [self._results[case] for case in cases]

    def _find(self, machine: Machine, item: Item) -> tuple[Item, Run]:
        piece = plain(machine, item)
        return piece, self._runs[timing_key(machine, piece)]

    def _simulate(self, cases: Sequence[Case]) -> None:
        missing: dict[Key, tuple[Arch, Item]] = {}
        for case in cases:
            machine = _machine(case.arch, case.arch_overrides)
            for item in (item for phase in workload_of(case).phases for item in phase.items):
                piece = plain(machine, item)
                key = timing_key(machine, piece)
                if key in self._runs or key in missing:
                    continue
                run = self._store.get(key, machine, piece)
                if run is None:
                    missing[key] = machine.arch, piece
                else:
                    self._runs[key] = run
        self._run_missing(missing)

    def _run_missing(self, missing: dict[Key, tuple[Arch, Item]]) -> None:
        if not missing:
            return
        self._pool = self._pool or ProcessPoolExecutor(self._jobs)
        futures = {self._pool.submit(_run, arch, piece): key for key, (arch, piece) in missing.items()}
        for done, future in enumerate(as_completed(futures), start=1):
            key = futures[future]
            self._runs[key] = future.result()
            self._store.put([(key, self._runs[key])])
            self.progress(done, len(missing))
        self.simulated += len(missing)


def _run(arch: Arch, piece: Item) -> Run:
    machine = Machine(arch)
    if not isinstance(piece, Gemm):
        return machine.run_vector(piece)
    blocks = arch.schedule if isinstance(arch.schedule, Schedule) else best_schedule(machine, piece, arch.schedule)
    return machine.run_gemm(piece, schedule=blocks)
