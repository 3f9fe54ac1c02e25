"""The best schedule for a GeMM on a machine: branch and bound over splits, blocks, plans and runs.

    split      bounded by its steps               --> its blocks
    blocks     bounded in microseconds            --> their plans, one a size of chunk
    plan       bounded by the laws                --> its run
    run        what it is

All wait in one queue, the least bound first. No run of a split, of blocks or of a plan has less than its bound, so
when a run comes out of the queue nothing that is left, whatever it leads to, can be better. A search of a large GeMM
ends before that, after a few runs; it then says how far below its best run the least bound is.

The published schedule, and the schedules that the caller knows, are among the candidates; so the best is never worse
than they are. A schedule of a smaller machine names what it uses, and runs on a larger one as it ran there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from sim.arch.schema import Hardware, Objective, Schedule, Split
from sim.errors import InputError
from sim.laws.expectation import GemmExpectation
from sim.machine.assembly import Run
from sim.machine.execution import run_piece
from sim.mapping.operands import ceil_div
from sim.mapping.piece import Piece
from sim.mapping.split import check_split
from sim.runs.candidates import ScheduleBlocks, ScheduleSpace
from sim.runs.objectives import Score, value_of
from sim.units.dram import model_of
from sim.workload.gemm import Gemm

SIMULATED = 6
"""Candidates that are simulated at least, beside those that are given, unless the best is found before."""
SIMULATED_STEPS = 10_000
"""Steps of the loops to simulate in all, tiles and chunks: of a small GeMM all candidates that could be the best."""
WORK = (
    *("weight_buffer.fill_beats", "activation_buffer.fill_beats", "weight_dispatcher.beats", "collector.beats"),
    "bpc.rows",
)
"""Cycles that a unit works, each of a unit of its own."""
PLANS = 250
"""Plans that a search makes before it looks at no further blocks."""
PUBLISHED_ROWS = {True: 2, False: 1}
"""Token block of the published schedules, in rows of the MXU: 32 tokens for Anda, whose activations are encoded, 16 for
the others."""
PUBLISHED_K = 2048


@dataclass(frozen=True)
class FoundSchedule:
    """What a search found.

    Parameters
    ----------
    least
        What no candidate's first quantity is below: the run's own where the search went to its end.
    simulated
        Runs that it took.
    """

    schedule: Schedule
    run: Run
    score: Score
    least: float
    simulated: int

    @property
    def gap(self) -> float:
        """Share by which a better candidate could be better at most; 0: there is none."""
        return 1 - self.least / self.score[0] if self.score[0] else 0.0


def blocks_of(piece: Piece) -> Piece:
    """The piece with its blocks known: searched where it names an objective instead."""
    return piece.scheduled(best_schedule(piece)) if isinstance(piece.schedule, str) else piece


def best_schedule(piece: Piece) -> Schedule:
    """The schedule that `search` finds."""
    return search(piece).schedule


def search(piece: Piece, known: Iterable[Schedule] = ()) -> FoundSchedule:
    """Search the schedule of a GeMM for what its piece names instead of blocks; see sim/runs/objectives.py.

    Parameters
    ----------
    known
        Further candidates, such as the best of smaller machines; those that do not fit are left out.

    Raises
    ------
    InputError
        Where no schedule fits: says which buffer is too small for the smallest tile.
    """
    return _Search(piece).found(known)


def published_schedule(hardware: Hardware) -> Schedule:
    """The paper's schedule, for the size of this machine."""
    return Schedule(
        token_block=PUBLISHED_ROWS[hardware.bpc is not None] * hardware.mxu.rows,
        output_block=hardware.run_width,
        k_block=ceil_div(PUBLISHED_K, hardware.mxu.dot_length) * hardware.mxu.dot_length,
    )


class _Search:
    def __init__(self, piece: Piece) -> None:
        assert isinstance(piece.schedule, str)
        assert isinstance(piece.work, Gemm)
        self.objective: Objective = piece.schedule
        self.piece, self.space = piece, ScheduleSpace(piece)
        self.value = value_of(piece.hardware, self.objective)
        self.plans = self.steps = 0
        self._has_plans = False
        self.slowest: int | None = None
        self.runs: dict[Schedule, Run] = {}
        self.best: tuple[Score, Schedule] | None = None
        self._queue: list[tuple[Score, int, Split | ScheduleBlocks | Schedule]] = []
        self._order = count()

    def found(self, known: Iterable[Schedule]) -> FoundSchedule:
        for schedule in (published_schedule(self.piece.hardware), *known):
            if self._expected(schedule) is not None:
                self._simulate(schedule)
        given = len(self.runs)
        for split in self.space.splits():
            self._put(self.value(*self.space.least(split)), split)
        least = self._run_down(given)
        if self.best is None:
            self.piece.scheduled(self._smallest()).plan()  # says what does not fit
            raise AssertionError("a smallest schedule that fits is among the candidates")
        score, schedule = self.best
        return FoundSchedule(schedule, self.runs[schedule], score, min(least, score[0]), len(self.runs))

    def _run_down(self, given: int) -> float:
        """Take the queue's least until it is no better than the best run, or enough has been simulated; what is left
        has this much at least."""
        left = math.inf
        while self._queue:
            bound, _, entry = heappop(self._queue)
            if self.best is not None and bound >= self.best[0]:
                break
            if isinstance(entry, Schedule):
                if len(self.runs) - given >= SIMULATED and self.steps >= SIMULATED_STEPS:
                    return min(left, bound[0])
                self._simulate(entry)
            elif self.plans >= PLANS and self._has_plans:
                left = min(left, bound[0])
            elif isinstance(entry, Split):
                for blocks in self.space.blocks(entry):
                    self._put(self.value(blocks.counters, blocks.cycles), blocks)
            else:
                self._expand(entry)
        return left

    def _expand(self, blocks: ScheduleBlocks) -> None:
        for chunk in self.space.chunks(blocks.split):
            schedule = blocks.schedule(chunk)
            expected = self._expected(schedule)
            if expected is None:
                continue
            lower = self._least_cycles(expected)
            if self.slowest is None or lower <= self.slowest:
                self._put(self.value(expected.counters, lower), schedule)
                self._has_plans = True

    def _expected(self, schedule: Schedule) -> GemmExpectation | None:
        self.plans += 1
        try:
            check_split(self.piece.hardware, schedule)
            return GemmExpectation(self.piece.scheduled(schedule))
        except InputError:
            return None

    def _least_cycles(self, expected: GemmExpectation) -> int:
        """No unit works longer than the run, and no loader has more loads under way than it may."""
        hardware, counters = self.piece.hardware, expected.counters
        loads, a_load = hardware.dram.outstanding_loads, model_of(hardware).read_cycles(1)
        busy = [counters.get(name, 0) for name in WORK]
        waits = [counters[f"{side}_loader.requests"] // loads * a_load for side in ("weight", "activation")]
        return max(expected.bounds.lower_cycles, *busy, *waits)

    def _put(self, bound: Score, entry: Split | ScheduleBlocks | Schedule) -> None:
        if self.best is None or bound < self.best[0]:
            heappush(self._queue, (bound, next(self._order), entry))

    def _simulate(self, schedule: Schedule) -> None:
        if schedule in self.runs:
            return
        run = self.runs[schedule] = run_piece(self.piece.scheduled(schedule))
        self.steps += run.counters["mxu.tiles"] + run.counters["weight_loader.requests"]
        if self.objective == "best" and schedule == published_schedule(self.piece.hardware):
            self.slowest = run.cycles
        if self.slowest is not None and run.cycles > self.slowest:
            return
        score = self.value(run.counters, run.cycles)
        if self.best is None or score < self.best[0]:
            self.best = score, schedule

    def _smallest(self) -> Schedule:
        mxu = self.piece.hardware.mxu
        return Schedule(token_block=mxu.rows, output_block=self.piece.hardware.run_width, k_block=mxu.dot_length)
