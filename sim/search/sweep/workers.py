"""Who simulates the points: processes of this machine, or of a Ray cluster. Neither shows in a result.

A few points more than there are workers are in flight at a time, so a space of any size takes little memory. Points
whose worker died are given to another one, alone; one that costs two workers more is recorded as failed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self

from sim.search.sweep.evaluate import Outcome, Task, compute

WORKER_DIED = "its worker process died (out of memory, or killed)"
LIVES = 2
IN_FLIGHT_PER_WORKER = 2
ORPHAN_CHECK_SECONDS = 1.0


class Workers(ABC):
    """A place to simulate in; a context manager.

    Attributes
    ----------
    count
        Points simulated at a time.
    lost
        Exceptions that mean that a worker died under a point.
    """

    count: int
    lost: tuple[type[BaseException], ...]

    @abstractmethod
    def submit(self, task: Task) -> Future[Outcome]: ...

    @abstractmethod
    def revive(self) -> None:
        """Make ready for `submit` again after a loss."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; called at the end, an interrupt included."""

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """The outcome of every task, in the order in which they are done."""
        waiting: dict[Future[Outcome], Task] = {}
        queue = iter(tasks)
        exhausted = False
        while waiting or not exhausted:
            while not exhausted and len(waiting) < IN_FLIGHT_PER_WORKER * self.count:
                task = next(queue, None)
                if task is None:
                    exhausted = True
                else:
                    waiting[self.submit(task)] = task
            orphans = []
            for future in wait(waiting, return_when=FIRST_COMPLETED).done if waiting else ():
                task = waiting.pop(future)
                try:
                    yield future.result()
                except self.lost:
                    orphans.append(task)
            if orphans:
                orphans += [task for future, task in waiting.items() if not self._safe(future)]
                waiting = {future: task for future, task in waiting.items() if task not in orphans}
                self.revive()
                yield from map(self._alone, orphans)

    def _safe(self, future: Future[Outcome]) -> bool:
        """Whether a future outlives the loss of another one's worker."""
        return True

    def _alone(self, task: Task) -> Outcome:
        for _ in range(LIVES):
            try:
                return self.submit(task).result()
            except self.lost:
                self.revive()
        return Outcome(task.key, None, WORKER_DIED, 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class LocalWorkers(Workers):
    """Processes of this machine."""

    lost = (BrokenProcessPool,)

    def __init__(self, count: int, compute: Callable[[Task], Outcome] = compute) -> None:
        self.count, self._compute = count, compute
        self._pool = self._started()

    def submit(self, task: Task) -> Future[Outcome]:
        return self._pool.submit(self._compute, task)

    def revive(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._started()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _safe(self, future: Future[Outcome]) -> bool:
        return future.done() and future.exception() is None

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    """Leave interrupts to the parent, and end when it does, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_SECONDS)
    os._exit(1)
