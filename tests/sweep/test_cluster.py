"""A Ray cluster of two workers on this machine: the same store, also when a worker is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.errors import InputError
from sim.runs.cluster import RayWorkers
from sim.sweep.evaluate import Outcome, Task, compute
from tests.sweep.conftest import Write, contents, run

pytest.importorskip("ray")
RAY = str(Path(sys.executable).with_name("ray"))
PORT = 26379
AXES = {"arch.mxu.rows": {"range": {"from": 1, "to": 24}}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A head and a second node, a core each."""
    quiet = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    # Short, since Ray puts sockets there.
    folder = f"/tmp/ray-{os.getpid()}"
    node = [
        RAY,
        "start",
        "--num-cpus=1",
        "--object-store-memory=80000000",
        "--disable-usage-stats",
        "--node-ip-address=127.0.0.1",
    ]
    head = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={folder}"]
    started = []
    try:
        for more in (head, [f"--address=127.0.0.1:{PORT}"]):
            before = set(ray_processes())
            subprocess.run([*node, *more], env=quiet, check=True, capture_output=True, timeout=120)
            started += sorted(set(ray_processes()) - before)
        yield f"127.0.0.1:{PORT}"
    finally:
        for pid in started:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def ray_processes() -> list[int]:
    """Processes of Ray, by their command lines."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if (
            folder.name.isdigit()
            and (b"/ray/" in words or words.startswith(b"ray::"))
            and str(os.getpid()) != folder.name
        ):
            found.append(int(folder.name))
    return found


class Killing(RayWorkers[Task, Outcome]):
    """Kills the process of one actor after a few points."""

    killed = 0

    def outcomes(self, tasks: object, most: int) -> Iterator[tuple[Task, Outcome | None]]:
        for done, outcome in enumerate(super().outcomes(tasks, most)):  # type: ignore[arg-type]
            yield outcome
            if done == 5:
                pid = self._ray.get(self._actors[0].pid.remote())
                os.kill(pid, signal.SIGKILL)
                self.killed += 1


def test_a_cluster_gives_the_same_store_and_a_killed_worker_loses_nothing(
    write: Write, tmp_path: Path, cluster: str
) -> None:
    path = write(AXES)
    run(path, tmp_path / "alone.sqlite")
    with RayWorkers(cluster, compute) as workers:
        assert workers.count == 2
        tally = run(path, tmp_path / "ray.sqlite", workers)  # type: ignore[arg-type]
    assert (tally.computed, tally.failed) == (24, 0)
    assert contents(tmp_path / "ray.sqlite") == contents(tmp_path / "alone.sqlite")
    with Killing(cluster, compute) as workers:
        tally = run(path, tmp_path / "killed.sqlite", workers)  # type: ignore[arg-type]
        assert workers.killed == 1
    assert (tally.computed, tally.failed) == (24, 0)
    assert contents(tmp_path / "killed.sqlite") == contents(tmp_path / "alone.sqlite")


def test_no_cluster_is_one_message() -> None:
    with pytest.raises(InputError, match=r"--ray: no Ray cluster at `127\.0\.0\.1:1`"):
        RayWorkers("127.0.0.1:1", compute)


def test_a_task_can_be_sent() -> None:
    import pickle

    from sim.arch.load import load_arch
    from sim.workload.load import load_workload

    task = Task("key", load_arch("anda-hpca25"), load_workload("opt-125m"))
    again = pickle.loads(pickle.dumps(task))
    assert again.arch.model_dump() == task.arch.model_dump()
    assert again.workload == task.workload
