"""The points of a sweep: resolved, looked for in the store, else simulated, and stored the moment they are done.

What is stored depends neither on the number of workers nor on the order in which they finish, nor on how many processes
share the sweep: each simulates what no other holds, and waits at the end for what others hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from sim.errors import InputError
from sim.runs.workers import WORKER_DIED, Workers
from sim.sweep.evaluate import Outcome, Task
from sim.sweep.formulas import at
from sim.sweep.judge import PointVerdict, judge
from sim.sweep.space import ResolvedPoint, Space, reason
from sim.sweep.stored import StoredSweeps

MOST_WITHOUT_ASKING = 1_000_000
POLL_SECONDS = 0.25
"""Between looks at points that other processes hold."""


@dataclass
class Tally:
    """How far a sweep is. `total` counts what may still turn out to be pruned, `held` what other processes work on."""

    total: int
    computed: int = 0
    reused: int = 0
    pruned: int = 0
    failed: int = 0
    held: int = 0
    seconds: float = 0.0
    simulating_seconds: float = 0.0
    resolving_seconds: float = 0.0
    storing_seconds: float = 0.0

    @property
    def done(self) -> int:
        return self.computed + self.reused + self.pruned


Places = Workers[Task, Outcome]
Progress = Callable[[Tally], None]


class Points:
    """The points of one run of a sweep.

    Raises
    ------
    InputError
        For more than a million points, unless `many` is set.
    """

    def __init__(
        self,
        space: Space,
        store: StoredSweeps,
        workers: Workers[Task, Outcome],
        progress: Progress,
        *,
        many: bool = False,
    ) -> None:
        self.space, self._store, self._workers, self._progress = space, store, workers, progress
        sweep = space.sweep
        self.tally = Tally(space.size if sweep.mode == "grid" else min(sweep.points or 1, space.size))
        if self.tally.total > MOST_WITHOUT_ASKING and not many:
            facts = {"found": f"{self.tally.total:,} points", "allowed": f"{MOST_WITHOUT_ASKING:,}, or --yes"}
            raise InputError(f"sweep `{sweep.name}` is very large", facts=facts)

    def admitted(self, numbers: Iterable[int]) -> Iterator[ResolvedPoint]:
        """Designs of the points that the constraints allow, as far as that is known without simulation."""
        for number in numbers:
            begin = time.perf_counter()
            design = self.space.design(number)
            try:
                allowed = self.space.allowed(design)
            except InputError as error:
                allowed, design = True, replace(design, arch=None, workload=None, refusal=reason(error))
            self.tally.resolving_seconds += time.perf_counter() - begin
            if allowed:
                yield design
            else:
                self.tally.pruned += self.space.sweep.mode == "grid"

    def compute(self, designs: Iterable[ResolvedPoint], most: int) -> None:
        """Have every point in the store that is not there yet; `most` bounds the number of designs."""
        held = self._work(designs, most)
        while held:
            self.tally.held = len(held)
            self._progress(self.tally)
            still = self._work(held, len(held))
            if len(still) == len(held):
                time.sleep(POLL_SECONDS)
            held = still
        self.tally.held = 0

    def _work(self, designs: Iterable[ResolvedPoint], most: int) -> list[ResolvedPoint]:
        """Compute and store what no other process holds; the rest."""
        in_flight: dict[str, ResolvedPoint] = {}
        held: list[ResolvedPoint] = []
        for task, outcome in self._workers.outcomes(self._missing(designs, in_flight, held), most):
            self._keep(in_flight.pop(task.key), outcome or Outcome(task.key, None, WORKER_DIED, 0.0))
        return held

    def verdict(self, design: ResolvedPoint) -> PointVerdict:
        """How a point that is in the store is judged."""
        totals, failure = self._store.find(design.key) or (None, "not in the store")
        return judge(self.space.formulas, partial(at, design.config), totals, failure)

    def _missing(
        self, designs: Iterable[ResolvedPoint], in_flight: dict[str, ResolvedPoint], held: list[ResolvedPoint]
    ) -> Iterator[Task]:
        for design in designs:
            claim = self._store.claim(self.space, design)
            if claim == "held":
                held.append(design)
            elif claim == "stored" or design.key in in_flight:
                self.tally.reused += 1
                self._progress(self.tally)
            elif design.arch is None or design.workload is None:
                self._keep(design, Outcome(design.key, None, design.refusal, 0.0))
            else:
                in_flight[design.key] = design
                yield Task(design.key, design.arch, design.workload)

    def _keep(self, design: ResolvedPoint, outcome: Outcome) -> None:
        begin = time.perf_counter()
        self._store.keep(design, outcome)
        self.tally.storing_seconds += time.perf_counter() - begin
        self.tally.computed += 1
        self.tally.failed += outcome.failure is not None
        self.tally.simulating_seconds += outcome.seconds
        self._progress(self.tally)
