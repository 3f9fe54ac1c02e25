"""Points simulated on a Ray cluster: one task a point, the package sent along, so that all nodes run this code."""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future
from typing import Any

from sim.errors import InputError
from sim.search.sweep.code import PACKAGE
from sim.search.sweep.evaluate import Outcome, Task, compute
from sim.search.sweep.workers import Workers


class RayWorkers(Workers):
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

    def __init__(self, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise InputError("needs the package ray", field="--ray", facts={"install": "anda-sim[sweep]"}) from None
        self._ray = ray
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"py_modules": [str(PACKAGE)], "excludes": ["**/__pycache__", "rtl", "shipped_data"]},
            )
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            problem = f"no Ray cluster at `{address}`: {str(error).splitlines()[0]}"
            raise InputError(problem, field="--ray", facts={"start one": "ray start --head"}) from None
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self.count = int(resources.get("CPU", 1))
        self.lost = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
            ray.exceptions.LocalRayletDiedError,
        )
        self._compute: Any = ray.remote(compute).options(max_retries=0)

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = self._compute.remote(task).future()
        return future

    def revive(self) -> None:
        """Nothing: a cluster starts workers by itself."""

    def close(self) -> None:
        self._ray.shutdown()
