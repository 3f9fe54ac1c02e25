"""Tasks computed on a Ray cluster: one actor a core, the package sent along, so that all nodes run this code."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sim import plugins
from sim.errors import InputError
from sim.runs.code import PACKAGE
from sim.runs.workers import Task, Value, Workers, timed

CONNECT_SECONDS = 5.0


class RayWorkers(Workers[Task, Value]):
    """Every core that a cluster offers.

    Parameters
    ----------
    address
        `auto`, for the cluster of this machine, or HOST:PORT.

    Raises
    ------
    InputError
        Where Ray is not installed, or no cluster answers.
    """

    def __init__(self, address: str, compute: Callable[[Task], Value]) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise InputError("needs the package ray", field="--ray", facts={"install": "anda-sim[sweep]"}) from None
        self._ray: Any = ray
        _require_answer(address)
        plugged = {plugins.FILES: os.environ[plugins.FILES]} if plugins.FILES in os.environ else {}
        without = ["**/__pycache__", "rtl", "shipped_data"]
        shipped = {"env_vars": plugged, "py_modules": [str(PACKAGE)], "excludes": without}
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=shipped)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise _no_cluster(address, str(error).splitlines()[0]) from None
        self.count = int(self._ray.cluster_resources().get("CPU", 1))
        self.lost = (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError)
        self._actor: Any = self._ray.remote(num_cpus=1)(_Worker)
        self._compute = compute
        self._actors = [self._actor.remote(compute) for _ in range(self.count)]

    def submit(self, worker: int, task: Task) -> Future[tuple[Value, float]]:
        future: Future[tuple[Value, float]] = self._actors[worker].compute.remote(task).future()
        return future

    def revive(self, worker: int) -> None:
        self._ray.kill(self._actors[worker])
        self._actors[worker] = self._actor.remote(self._compute)

    def close(self) -> None:
        self._ray.shutdown()


def _require_answer(address: str) -> None:
    """Refuse a HOST:PORT that nobody listens at; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, why: str) -> InputError:
    return InputError(f"no Ray cluster at `{address}`: {why}", field="--ray", facts={"start one": "ray start --head"})


class _Worker:
    """A process of the cluster that keeps its memory of pieces from task to task."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        plugins.use()
        self._compute = compute

    def compute(self, task: Any) -> tuple[Any, float]:
        return timed(self._compute, task)

    def pid(self) -> int:
        return os.getpid()
