"""A command that is killed leaves nothing behind; `make soak PARTS=kills` does this at many random moments."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sim.scratch import whole_file, whole_folder
from tests.kills import COMMANDS, KilledCommand, half_written, killed, open_pipes, running, started

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
BUILDS = """
import sys, time
from pathlib import Path
from sim import scratch
rename = Path.rename
def slow(self, target):
    rename(self, target)
    if {moved} and Path(target).name == "old":
        print("begun", flush=True); time.sleep(60)
Path.rename = slow
with scratch.whole_folder(Path("out")) as inside:
    (inside / "half").write_text("")
    if not {moved}:
        print("begun", flush=True); time.sleep(60)
"""


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("run", signal.SIGKILL),
        ("compare", signal.SIGTERM),
        ("reproduce", signal.SIGKILL),
        ("sweep", signal.SIGTERM),
        ("trace", signal.SIGKILL),
    ],
)
def test_a_command_killed_at_some_moment_leaves_nothing(name: str, number: signal.Signals, tmp_path: Path) -> None:
    _, wrong = killed(COMMANDS[name], Random().uniform(0.3, 4), number, tmp_path)
    assert wrong == []


@pytest.mark.parametrize("moved", [False, True], ids=["while it writes", "between the two renames"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_folder_in_the_making_goes_and_the_earlier_one_stays(
    tmp_path: Path, number: signal.Signals, moved: bool
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "earlier").write_text("kept")
    words = [sys.executable, "-c", BUILDS.format(moved=moved)]
    path = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with subprocess.Popen(words, cwd=tmp_path, env=path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert len(list(tmp_path.iterdir())) == (1 if moved else 2)
        process.send_signal(number)
    deadline = time.monotonic() + 5
    while [path.name for path in tmp_path.iterdir()] != ["out"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [("earlier", "kept")]


def test_an_interrupt_does_not_wait_for_a_long_piece(tmp_path: Path) -> None:
    long = "run anda-hpca25 llama2-70b --tokens 4096 --no-fast-forward --jobs 2 --out out"
    process = started(KilledCommand(tuple(long.split()), "out", frozenset()), tmp_path, "interrupted")
    while len(list(running("interrupted"))) < 4:  # the command, a shell, and two that simulate for minutes
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert open_pipes(process, time.monotonic() + 5) == []
    assert process.wait() == 130
    assert list(running("interrupted")) == []
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_the_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")

    def interrupted(whole: Any) -> None:
        with whole(tmp_path / "file") as partial:
            (partial / "x" if partial.is_dir() else partial).write_text("half")
            raise KeyboardInterrupt

    for whole in (whole_file, whole_folder):
        with pytest.raises(KeyboardInterrupt):
            interrupted(whole)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_text() == "kept"


def test_what_a_kill_might_leave_is_seen(tmp_path: Path) -> None:
    command = COMMANDS["run"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text(json.dumps({"schema_version": 2})[:-1])
    (tmp_path / ".out.12ab").mkdir()
    assert len(half_written(command, tmp_path)) == 3
