"""Thousands of random machines and GeMMs, each simulated at both grains, fast-forwarded, and by the oracle.

    python -m tests.soak [--cases N] [--seed S] [--jobs J]

One case in five is any machine; the others have many iterations of one loop level each, so that it is skipped. A
LLaMA-2-70B layer comes with them, and the prefill of every shipped model, whose best schedules must be no worse than
the published one. Ends with 1 where two of the four differ, or where less than half of the long loops skip.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sim import shipped
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.mapping.nest import LEVELS
from sim.simulation import simulate
from sim.workload.load import load_workload
from tests import oracle
from tests.machines import Case, integer_case, long_case, random_case
from tests.test_oracle import observed

BEATS = 60_000
"""Cycles up to which the beat grain is simulated, one event a port beat."""
KINDS = ("any machine", *(f"many {level}" for level in LEVELS))
LAYER = "LLaMA-2-70B layer"
SCHEDULES = "best schedules of a shipped model"
OBJECTIVES = {
    "best": ("dram_bytes", "cycles"),
    "best-cycles": ("cycles",),
    "best-dram-bytes": ("dram_bytes",),
    "best-energy": ("energy_picojoules",),
}
"""What must not be worse than the published schedule's."""
Task = tuple[str, int]
"""Kind and seed; of the layer, the number of its GeMM; of the schedules, that of the model."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case.

    Parameters
    ----------
    skipped
        The levels at which fast-forward jumped.
    differences
        Simulations that count otherwise than the tile grain, and in what.
    """

    skipped: frozenset[str] = frozenset()
    differences: tuple[str, ...] = ()
    cycles: int = 0
    refused: bool = False
    beat: bool = False


@dataclass
class Summary:
    """What came of all cases of a kind."""

    count: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.count["refused" if outcome.refused else "compared"] += 1
        self.count["beat"] += outcome.beat
        self.count["skipping"] += bool(outcome.skipped)
        self.count["different"] += bool(outcome.differences)
        self.skipped.update(outcome.skipped)


def layer() -> list[Case]:
    """The different GeMMs of a layer."""
    gemms = load_workload("llama2-70b", phase="prefill", tokens=4096).gemms
    shapes = {(gemm.m, gemm.k, gemm.n, gemm.mantissa_bits, gemm.output_mantissa_bits): gemm for gemm in gemms}
    return [Case(load_arch("anda-hpca25"), gemm) for gemm in shapes.values()]


def worse_schedules(model: str) -> Outcome:
    """Where the best schedule is worse than the published one: on its objective, or in cycles where it may not be."""
    workload = load_workload(model, phase="prefill")
    published = simulate(load_arch("anda-hpca25"), workload).layers
    problems = []
    for objective, bounded in OBJECTIVES.items():
        found = simulate(load_arch("anda-hpca25", [f"schedule={objective}"]), workload).layers
        for given, best in zip(published, found, strict=True):
            before, after = asdict(given), asdict(best)
            worse = [f"{name} {after[name]}, not {before[name]}" for name in bounded if after[name] > before[name]]
            problems += [f"{model} {given.name}, {objective}: {problem}" for problem in worse]
    return Outcome(differences=tuple(problems))


def case_of(task: Task) -> Case:
    kind, seed = task
    if kind == LAYER:
        return layer()[seed]
    if kind in KINDS[1:]:
        return long_case(seed, KINDS.index(kind) - 1)
    return random_case(seed) if seed % 3 else integer_case(seed)


def compare(task: Task) -> Outcome:
    """Simulate a case in all four ways; a model in all schedules."""
    if task[0] == SCHEDULES:
        return worse_schedules(shipped.names("workloads")[task[1]])
    case = case_of(task)
    try:
        machine = Machine(case.arch)
        skipping = machine.run(case.gemm)
    except InputError:
        return Outcome(refused=True)
    tile = observed(machine.run(case.gemm, SimulationOptions(fast_forward=False)))
    others = {"fast-forward": observed(skipping), "automata": oracle.predict(case.arch, case.gemm)}
    if tile.cycles < BEATS:
        others["beat grain"] = observed(machine.run(case.gemm, SimulationOptions("beat")))
    return Outcome(
        frozenset(skip.level for skip in skipping.skips),
        tuple(f"{name}: {difference}" for name, other in others.items() for difference in differences(tile, other)),
        tile.cycles,
        beat="beat grain" in others,
    )


def differences(tile: oracle.Prediction, other: oracle.Prediction) -> Iterator[str]:
    """Everything that two simulations count differently."""
    left, right = flat(tile), flat(other)
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            yield f"{name} {right.get(name)}, not {left.get(name)}"


def flat(counted: oracle.Prediction) -> dict[str, int]:
    ledger = {f"{unit}.{state}": n for unit, states in counted.states.items() for state, n in states.items()}
    return {"cycles": counted.cycles} | counted.counters | ledger


def tasks(cases: int, seed: int) -> list[Task]:
    """The layer and the models first: they take longest."""
    return [
        *((LAYER, index) for index in range(len(layer()))),
        *((SCHEDULES, index) for index in range(len(shipped.names("workloads")))),
        *((KINDS[index % len(KINDS)], seed + index) for index in range(cases)),
    ]


def run(todo: list[Task], jobs: int, console: Console) -> dict[str, Summary]:
    """All tasks, with a progress bar; a crash is a difference too."""
    summaries = {kind: Summary() for kind in (*KINDS, LAYER, SCHEDULES)}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    any_machine = random_case(0)
    oracle.predict(any_machine.arch, any_machine.gemm)  # compiled once, before the processes part
    with Progress(*columns, console=console) as progress, ProcessPoolExecutor(jobs) as pool:
        bar = progress.add_task("soak", total=len(todo))
        pending = {pool.submit(compare, task): task for task in todo}
        for future in as_completed(pending):
            kind, seed = pending[future]
            outcome = _outcome(future)
            summaries[kind].add(outcome)
            for difference in outcome.differences:
                progress.console.print(f"{kind}, seed {seed}: {difference}")
            progress.advance(bar)
    return summaries


def _outcome(future: Future[Outcome]) -> Outcome:
    error = future.exception()
    return future.result() if error is None else Outcome(differences=(repr(error),))


def table(summaries: dict[str, Summary]) -> Table:
    """Cases, those that skip, by level, and differences."""
    shown = Table("cases", "compared", "refused", "with beats", "skipping", *LEVELS, "different")
    for column in shown.columns[1:]:
        column.justify = "right"
    total = Summary()
    for kind, summary in summaries.items():
        shown.add_row(kind, *_cells(summary))
        total.count += summary.count
        total.skipped += summary.skipped
    shown.add_section()
    shown.add_row("all", *_cells(total))
    return shown


def _cells(summary: Summary) -> list[str]:
    counts = [summary.count[key] for key in ("compared", "refused", "beat", "skipping")]
    return [f"{n:,}" for n in (*counts, *(summary.skipped[level] for level in LEVELS), summary.count["different"])]


def idle_levels(summaries: dict[str, Summary]) -> list[str]:
    """Levels that less than half of their long loops skip."""
    return [
        level
        for kind, level in zip(KINDS[1:], LEVELS, strict=True)
        if 2 * summaries[kind].skipped[level] < summaries[kind].count["compared"]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Random machines, compared in four ways.")
    parser.add_argument("--cases", type=int, default=8000, help="random machines (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: all cores)")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 130)
    summaries = run(tasks(options.cases, options.seed), options.jobs, console)
    console.print(table(summaries))
    for level in idle_levels(summaries):
        console.print(f"too few skips of {level} to test them")
    different = sum(summary.count["different"] for summary in summaries.values())
    return 1 if different or idle_levels(summaries) else 0


if __name__ == "__main__":
    sys.exit(main())
