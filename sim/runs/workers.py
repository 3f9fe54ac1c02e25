"""Who simulates: processes of this machine, or of a Ray cluster. Neither shows in a result.

Neighbouring tasks share pieces of work, so each worker is given a run of them, some seconds' worth, and the next run
when the last one ends: any number of tasks takes little memory. Towards the end the runs become shorter, so that all
workers end together. Tasks whose worker died are given to a new one, each alone; one that costs two workers more is
given up.
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
from itertools import islice
from types import TracebackType
from typing import Generic, Self, TypeVar

from sim import plugins

WORKER_DIED = "its worker process died (out of memory, or killed)"
LIVES = 2
LONGEST_RUN = 128
RUN_SECONDS = 10.0
ORPHAN_CHECK_SECONDS = 1.0

Task = TypeVar("Task")
Value = TypeVar("Value")


def timed(compute: Callable[[Task], Value], task: Task) -> tuple[Value, float]:
    """What a task gives, and the seconds of a core it took."""
    begin = time.process_time()
    return compute(task), time.process_time() - begin


class Workers(ABC, Generic[Task, Value]):
    """Places to compute in, numbered from 0; a context manager.

    Attributes
    ----------
    count
        Tasks computed at a time.
    lost
        Exceptions that mean that a worker died under its tasks.
    """

    count: int
    lost: tuple[type[BaseException], ...]

    @abstractmethod
    def submit(self, worker: int, task: Task) -> Future[tuple[Value, float]]: ...

    @abstractmethod
    def revive(self, worker: int) -> None:
        """Make ready for `submit` again after a loss."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; called at the end, an interrupt included."""

    def outcomes(self, tasks: Iterable[Task], most: int) -> Iterator[tuple[Task, Value | None]]:
        """What every task gives, in the order in which they are done; None for one that its workers died of.

        `most` bounds the number of tasks.
        """
        queue, left, pace = iter(tasks), most, 1
        given: list[dict[Future[tuple[Value, float]], Task]] = [{} for _ in range(self.count)]
        seconds = done = 0.0
        while True:
            found_dead = False
            for worker, mine in enumerate(given):
                if len(mine) <= 1:
                    run = max(1, min(pace, left // (2 * self.count)))
                    left -= run
                    for next_task in islice(queue, run):
                        try:
                            mine[self.submit(worker, next_task)] = next_task
                        except self.lost:  # it died under an earlier task, whose own loss is told below
                            found_dead = True
                            yield next_task, self._alone(worker, next_task)
            waiting = {future: worker for worker, mine in enumerate(given) for future in mine}
            if not waiting:
                if found_dead:
                    continue
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                mine = given[waiting[future]]
                task = mine.pop(future, None)
                if task is None:  # lost with another, and done alone
                    continue
                try:
                    value, spent = future.result()
                except self.lost:
                    orphans, given[waiting[future]] = [task, *mine.values()], {}
                    yield from ((orphan, self._alone(waiting[future], orphan)) for orphan in orphans)
                    continue
                seconds, done = seconds + spent, done + 1
                pace = min(LONGEST_RUN, int(RUN_SECONDS * done / (seconds or 1)))
                yield task, value

    def _alone(self, worker: int, task: Task) -> Value | None:
        for _ in range(LIVES):
            self.revive(worker)
            try:
                return self.submit(worker, task).result()[0]
            except self.lost:
                continue
        self.revive(worker)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class LocalWorkers(Workers[Task, Value]):
    """Processes of this machine."""

    lost = (BrokenProcessPool,)

    def __init__(self, count: int, compute: Callable[[Task], Value]) -> None:
        self.count, self._compute = count, compute
        self._pools = [_started() for _ in range(count)]

    def submit(self, worker: int, task: Task) -> Future[tuple[Value, float]]:
        return self._pools[worker].submit(timed, self._compute, task)

    def revive(self, worker: int) -> None:
        self._pools[worker].shutdown(wait=True, cancel_futures=True)
        self._pools[worker] = _started()

    def close(self) -> None:
        for pool in self._pools:
            working = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in working:  # what one is at in an interrupt may take minutes, and nobody waits for it
                process.kill()


def _started() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    """Leave interrupts to the parent, end when it does, however it does, and have its plug-ins."""
    plugins.use()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_SECONDS)
    os._exit(1)
