"""Runs of pieces of work, and of programs: whoever needs one asks `runs[piece]`, and each is simulated once.

    piece.key -> memory -> store on disk -> simulation, here or on workers

Pieces that no unit can tell apart share one run: equal layers, GeMMs of equal shape and precision, and the same GeMM on
machines that differ only in cost.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from sim.engine.activity import Recorder
from sim.errors import InputError
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.execution import run_piece
from sim.mapping.piece import Piece
from sim.mapping.program import LayerProgram
from sim.runs.best_schedule import blocks_of
from sim.runs.pieces import StoredRuns
from sim.runs.store import Store

if TYPE_CHECKING:
    from sim.runs.workers import LocalWorkers

Work = Piece | LayerProgram
Progress = Callable[[int, int, str], None]
"""Called with pieces done, pieces in all, and the name of the last one."""


class Tracer(Recorder, Protocol):
    """A recorder that is told where in time each piece of work starts."""

    def begin(self, name: str, offset_cycles: int) -> None: ...


class Runs:
    """The runs of pieces; a context manager, since it may hold worker processes.

    Parameters
    ----------
    options
        How to simulate; none of it changes a counter.
    jobs
        Processes to share pieces among.
    store
        Where runs are kept beyond this process.
    tracer
        Takes the spans of every piece that is prepared, one after the other, in this process.
    remembered
        Runs kept in memory at most; all of them where None.
    """

    def __init__(
        self,
        *,
        options: SimulationOptions = SimulationOptions(),
        jobs: int = 1,
        store: Store | None = None,
        tracer: Tracer | None = None,
        remembered: int | None = None,
    ) -> None:
        self.options, self._jobs, self._tracer = options, jobs, tracer
        self._store = None if store is None else StoredRuns(store)
        self._remembered = remembered
        self._memory: OrderedDict[str, Run] = OrderedDict()
        self._workers: LocalWorkers[Work, Run] | None = None
        self.simulated = 0
        """Pieces that were neither remembered nor in the store."""

    def __getitem__(self, piece: Work) -> Run:
        """The run of a piece.

        Raises
        ------
        InputError
            Where the piece does not fit its machine.
        """
        found = self._known(piece)
        return self._keep(piece, simulated(piece, self.options)) if found is None else found

    def prepare(self, pieces: Iterable[Work], progress: Progress | None = None) -> None:
        """Have the runs of all of these at hand, simulating what is missing on all processes."""
        missing = [piece for piece in dict.fromkeys(pieces) if self._known(piece) is None]
        report = progress or (lambda done, total, name: None)
        if self._jobs == 1 or len(missing) == 1 or self._tracer is not None:
            self._prepare_here(missing, report)
            return
        from sim.runs.workers import WORKER_DIED, LocalWorkers  # processes are not for one piece

        # The largest first, so that no process is left with a long one at the end.
        missing.sort(key=lambda piece: -piece.size)
        if missing and self._workers is None:
            self._workers = LocalWorkers(self._jobs, partial(simulated, options=self.options))
        outcomes = self._workers.outcomes(missing, len(missing)) if self._workers else ()
        for done, (piece, run) in enumerate(outcomes, start=1):
            if run is None:
                raise InputError(f"{piece.name} could not be simulated: {WORKER_DIED}", field="--jobs")
            self._keep(piece, run)
            report(done, len(missing), piece.name)

    def _prepare_here(self, missing: list[Work], report: Progress) -> None:
        offset = 0
        for done, piece in enumerate(missing, start=1):
            if self._tracer is not None:
                self._tracer.begin(piece.name, offset)
            offset += self._keep(piece, simulated(piece, self.options, self._tracer)).cycles
            report(done, len(missing), piece.name)

    def _known(self, piece: Work) -> Run | None:
        run = self._memory.get(piece.key)
        if run is not None:
            self._memory.move_to_end(piece.key)
        elif self._store is not None:
            run = self._store.get(piece.key, self.options)
            if run is not None:
                self._remember(piece, run)
        return run

    def _keep(self, piece: Work, run: Run) -> Run:
        self.simulated += 1
        if self._store is not None:
            self._store.put(piece.key, self.options, run)
        return self._remember(piece, run)

    def _remember(self, piece: Work, run: Run) -> Run:
        self._memory[piece.key] = run
        if self._remembered is not None and len(self._memory) > self._remembered:
            self._memory.popitem(last=False)
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._workers is not None:
            self._workers.close()


def simulated(piece: Work, options: SimulationOptions, recorder: Recorder | None = None) -> Run:
    """Simulate a program, or a piece, its schedule searched first where it names no blocks."""
    if isinstance(piece, LayerProgram):
        from sim.machine.streaming import run_program  # few runs are of programs

        return run_program(piece, options, recorder)
    return run_piece(blocks_of(piece), options, recorder)
