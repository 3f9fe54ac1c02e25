"""A sweep killed with SIGKILL, three times: resumed, complete, equal to an undisturbed one, nothing computed twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.errors import InputError
from sim.sweep.stored import StoredSweeps
from tests.sweep.conftest import Write, contents, run

POINTS, WORKERS, KILLS = 48, 2, 3
AXES = {"arch.mxu.rows": {"range": {"from": 1, "to": POINTS}}, "workload.layers": [1]}
SWEEP = "import sys; from sim.commands.sweep import app; app(args=sys.argv[1:])"


def stored(store: Path) -> dict[str, tuple[str, float]]:
    """When each point was stored, and the seconds it took, by key."""
    try:
        opened = StoredSweeps(store)
    except InputError:  # not made yet
        return {}
    with opened:
        return {key: rest for key, *rest in opened._store._db.execute("SELECT key, stored, seconds FROM points")}  # type: ignore[misc]


def begin(path: Path, store: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SWEEP, str(path), "--store", str(store), "--jobs", str(WORKERS), "--no-report"]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for the workers in /proc")
def test_a_sweep_killed_three_times_is_resumed_and_equal_to_an_undisturbed_one(write: Write, tmp_path: Path) -> None:
    path, store = write(AXES), tmp_path / "killed.sqlite"
    before: dict[str, tuple[str, float]] = {}
    workers: list[int] = []
    for kill in range(KILLS):
        sweep = begin(path, store, *["--resume"] * (kill > 0))
        wanted = len(before) + POINTS // (KILLS + 2)
        while len(stored(store)) < wanted and sweep.poll() is None:
            time.sleep(0.005)
        workers += children(sweep.pid)
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.communicate()
        now = stored(store)
        assert len(before) < len(now) < POINTS  # killed in the middle
        assert {key: now[key] for key in before} == before  # and nothing that was there was computed again
        before = now
    sweep = begin(path, store, "--resume")
    told, errors = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, errors
    counts = re.search(r"(\d+) points simulated .*?, (\d+) from the store", told)
    assert counts is not None, told
    assert list(map(int, counts.groups())) == [POINTS - len(before), len(before)]
    assert {key: value for key, value in stored(store).items() if key in before} == before
    run(path, tmp_path / "undisturbed.sqlite")
    assert contents(store) == contents(tmp_path / "undisturbed.sqlite")
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() and alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "workers outlive their sweep"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_an_interrupt_leaves_what_is_done(write: Write, tmp_path: Path) -> None:
    path, store = write(AXES), tmp_path / "interrupted.sqlite"
    sweep = begin(path, store)
    while len(stored(store)) < 3 and sweep.poll() is None:
        time.sleep(0.005)
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=60)
    assert 3 <= len(stored(store)) < POINTS
    with StoredSweeps(store) as opened:
        assert all(json.dumps(point.totals) for point in opened.points("small"))
