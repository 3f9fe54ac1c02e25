"""A sweep is named by its content, and shared: processes divide its points, and those of a dead one are done again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.errors import InputError
from sim.runs import leases
from sim.runs.leases import Leases
from sim.runs.store import Store
from sim.sweep.evaluate import Outcome, Task
from sim.sweep.stored import StoredSweeps
from sim.sweep.view import View
from tests.sweep.conftest import InProcess, Write, contents, run, space_of

ROWS = {"arch.mxu.rows": [8, 16]}
SWEEP = (
    "import sys; from sim.runs import leases; leases.LEASE_SECONDS = 2; leases.BEAT_SECONDS = 0.3; "
    "from sim.commands.sweep import app; app(args=sys.argv[1:])"
)
DIVIDED = {"arch.mxu.rows": {"range": {"from": 1, "to": 40}}}


def begin(path: Path, store: Path) -> subprocess.Popen[str]:
    words = [str(path), "--store", str(store), "--jobs", "1", "--no-report", "--resume"]
    return subprocess.Popen(
        [sys.executable, "-c", SWEEP, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("keys", [{}, {"mode": "search", "points": 24, "batch": 8}], ids=["grid", "search"])
def test_two_processes_divide_a_sweep_and_its_rows_equal_a_lone_runs(
    write: Write, tmp_path: Path, keys: dict[str, Any]
) -> None:
    path = write(DIVIDED, **keys)
    run(path, tmp_path / "alone.sqlite")
    both = [begin(path, tmp_path / "shared.sqlite") for _ in range(2)]
    told = []
    for process in both:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        found = re.search(r"(\d+) points? simulated.*?(\d+) from the store", out)
        assert found is not None, out
        told.append(tuple(map(int, found.groups())))
    points = len(contents(tmp_path / "alone.sqlite")["points"])
    assert sum(computed for computed, _ in told) == points  # each point once
    assert all(computed + reused == points for computed, reused in told)
    assert contents(tmp_path / "shared.sqlite") == contents(tmp_path / "alone.sqlite")


class Watching(InProcess):
    """One worker that lets another process in after each point."""

    def __init__(self, between: Any) -> None:
        super().__init__()
        self._between = between

    def outcomes(self, tasks: Any, most: int) -> Iterator[tuple[Task, Outcome | None]]:
        for one in super().outcomes(tasks, most):
            self._between()
            yield one


def test_points_under_the_lease_of_a_living_process_wait_and_those_of_a_dead_one_are_taken(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 1.5)
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.2)
    path, space = write(ROWS), space_of(write(ROWS))
    with StoredSweeps(tmp_path / "s.sqlite", make=True) as first:
        first.begin(space, resume=False)
        assert first.claim(space, space.design(0)) == "ours"
        with StoredSweeps(tmp_path / "s.sqlite") as second:
            second.begin(space, resume=True)
            assert [second.claim(space, space.design(number)) for number in range(2)] == ["held", "ours"]
            time.sleep(2)  # the first one says that it lives
            assert second.claim(space, space.design(0)) == "held"
        first._leases._ended.set()  # type: ignore[union-attr]  # it does so no more, as when it is killed
        begun = time.monotonic()
        tally = run(path, tmp_path / "s.sqlite", resume=True)
        assert time.monotonic() - begun < 10
    assert (tally.computed, tally.reused) == (2, 0)


def test_a_finished_process_leaves_no_lease(write: Write, tmp_path: Path) -> None:
    run(write(ROWS), tmp_path / "s.sqlite")
    with Store(tmp_path / "s.sqlite") as store:
        assert [store.first(f"SELECT count(*) FROM {table}") for table in ("leases", "owners")] == [(0,), (0,)]


def test_a_lease_is_one_owners_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite", make=True) as store:
        one, other = Leases(store), Leases(store)
        one.take("point")
        assert (one.held_elsewhere("point"), other.held_elsewhere("point")) == (False, True)
        other.let_go("point")  # not its own
        assert other.held_elsewhere("point")
        one.close()
        assert not other.held_elsewhere("point")
        other.close()


def test_a_killed_process_keeps_no_other_from_its_points(write: Write, tmp_path: Path) -> None:
    path, store = write(DIVIDED), tmp_path / "s.sqlite"
    killed, other = begin(path, store), begin(path, store)
    while killed.poll() is None and not (store.is_file() and _stored(store)):
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    out, errors = other.communicate(timeout=120)
    assert other.returncode == 0, errors + out
    run(path, tmp_path / "alone.sqlite")
    assert contents(store) == contents(tmp_path / "alone.sqlite")


def _stored(store: Path) -> int:
    try:
        with Store(store) as opened:
            return int((opened.first("SELECT count(*) FROM points") or (0,))[0])
    except InputError:
        return 0


def changed_machine(tmp_path: Path, write: Write) -> Path:
    (tmp_path / "mine.yaml").write_text("extends: anda-hpca25\ndram: {bandwidth_gigabytes_per_second: 16}\n")
    return write(ROWS, archs=["mine.yaml"])


def changed_definition(tmp_path: Path, write: Write) -> Path:
    return write({"arch.mxu.rows": [8, 32]}, archs=["mine.yaml"])


@pytest.mark.parametrize(
    ("edit", "said", "common"),
    [(changed_machine, "machine mine.yaml", 0), (changed_definition, "axes", 1)],
)
def test_an_edited_file_is_another_sweep_and_says_so(
    write: Write, tmp_path: Path, edit: Any, said: str, common: int
) -> None:
    (tmp_path / "mine.yaml").write_text("extends: anda-hpca25\n")
    store = tmp_path / "s.sqlite"
    path = write(ROWS, archs=["mine.yaml"])
    before = space_of(path)
    with StoredSweeps(store, make=True) as kept:
        assert kept.begin(before, resume=False) is None
    run(path, store, resume=True)
    run(edit(tmp_path, write), store)  # no --resume: it is not there
    after = space_of(path)
    assert before.identity != after.identity
    with StoredSweeps(store) as kept:
        with pytest.raises(InputError, match="sweep `small` is there"):
            kept.begin(after, resume=False)
        names = {f"small@{space.identity[:8]}" for space in (before, after)}
        assert set(kept.names()) == names
        old, new = (View(kept, f"small@{space.identity[:8]}") for space in (before, after))
        assert View(kept, "small").name == new.name  # the last one
    keys = [{point.stored.key for point in view.points} for view in (old, new)]
    assert [len(one) for one in keys] == [2, 2]
    assert len(keys[0] & keys[1]) == common  # and no point of one in the other
    with StoredSweeps(store) as kept:
        path.write_text(path.read_text().replace("objectives:", "seed: 3\nmode: random\npoints: 1\nobjectives:"))
        third = space_of(path)
        with pytest.raises(
            InputError, match=rf"small.yaml: changed since its sweep ran as {new.name}\n  changed +mode"
        ):
            kept.of_file(third)
        told = kept.begin(third, resume=True)
        assert told == (
            f"changed since {new.name} (mode, points, seed): a sweep of its own, small@{third.identity[:8]}"
        )
    assert said in _told_of(store, before, after)


def _told_of(store: Path, before: Any, after: Any) -> str:
    with StoredSweeps(store) as kept:
        return ", ".join(kept._changes(before.identity, after))


def test_a_description_decides_nothing(write: Write) -> None:
    assert space_of(write(ROWS)).identity == space_of(write(ROWS, description="Other words.")).identity


def test_another_version_of_the_code_is_another_sweep(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    before = space_of(write(ROWS)).identity
    monkeypatch.setattr("sim.runs.identity.code_version", lambda: "other")
    assert space_of(write(ROWS)).identity != before
