"""Commands killed at random moments: nothing keeps running, nothing half-written stays, their pipes close.

    python -m tests.kills [--moments N] [--seed S]

For every command and signal, N moments between its start and its usual end. Ends with 1 where anything was left.
"""

from __future__ import annotations

import argparse
import os
import random
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sim import shipped
from sim.errors import InputError
from sim.reading import json_of
from sim.result.json import load_result

SECONDS = 5.0
"""In which everything is gone."""
MARK = "ANDA_SIM_TEST"
"""In the environment of a command and all that it starts."""
ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "workloads" / "tiny-llama"
SWEEP = """
name: killed
archs: [anda-hpca25]
workloads: [opt-125m]
axes: {workload.layers: [1], workload.run.tokens: [64], arch.mxu.rows: {range: {from: 1, to: 40}}}
objectives: [cycles, energy]
"""
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


@dataclass(frozen=True)
class KilledCommand:
    """What is killed, and what it leaves where it is let be.

    Parameters
    ----------
    words
        Of its command line; it runs in a folder of its own.
    folder, files
        What it writes, and the names in a whole one.
    grows
        Whether the folder may hold a part of them: it is gone on with.
    """

    words: tuple[str, ...]
    folder: str
    files: frozenset[str]
    grows: bool = False


def _command(words: str, folder: str, *files: str, grows: bool = False) -> KilledCommand:
    return KilledCommand(tuple(words.split()), folder, frozenset(files), grows)


WORK = "--tokens 512 --precision 6 --set-workload layers=2 --no-fast-forward --jobs 2"
TEXT = f"--text {MODEL / 'validation.txt'}"
COMMANDS = {
    "run": _command(f"run anda-hpca25 opt-1.3b {WORK} --out out", "out", "result.json", "layers.csv", "report.html"),
    "compare": _command(
        f"compare fp-fp figna anda-hpca25 --workload opt-125m {WORK} --out out --overwrite",
        "out",
        *("comparison.json", "comparison.csv", "report.html", "fp-fp", "figna", "anda-hpca25"),
    ),
    "reproduce": _command(
        "reproduce --only phases --only pe --cache cache/runs.sqlite --out out --jobs 2",
        "out",
        *("reproduction.json", "reproduction.csv", "report.html"),
    ),
    "sweep": _command(
        "sweep killed.yaml --store kept/store.sqlite --out out --jobs 2",
        "out",
        *("report.html", "points.csv", "points.parquet"),
    ),
    "search": _command(
        f"search {MODEL} {TEXT} --tokens 512 --iterations 6 --tolerance 0.05 --out out",
        "out",
        *("evaluations.json", "reference.npy", "search.json", "precision.yaml", "report.html"),
        grows=True,
    ),
    "trace": _command(
        f"trace {MODEL} {TEXT} --tokens 200 --batch 4 --out out", "out", "manifest.json", "tensors-00000.safetensors"
    ),
}


def killed(command: KilledCommand, moment: float, number: signal.Signals, folder: Path) -> tuple[bool, list[str]]:
    """Run a command in `folder`, kill it after `moment` seconds; whether it still ran, and what it left behind."""
    (folder / "killed.yaml").write_text(SWEEP)
    mark = uuid.uuid4().hex
    process = started(command, folder, mark)
    time.sleep(moment)
    alive = process.poll() is None
    process.send_signal(number)
    begun = time.monotonic()
    wrong = [f"{name} is open after {SECONDS} s" for name in open_pipes(process, begun + SECONDS)]
    process.wait()
    while (left := list(running(mark))) and time.monotonic() < begun + SECONDS:
        time.sleep(0.05)
    wrong += [f"process {pid} runs after {SECONDS} s: {words}" for pid, words in left]
    return alive, [*wrong, *half_written(command, folder)]


def started(command: KilledCommand, folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """The command, with pipes, every process of it marked in its environment."""
    words = [sys.executable, str(ROOT / "sim.py"), *command.words]
    places = {"HOME": str(folder), "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), MARK: mark}
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=folder, env={**os.environ, **places}, stdout=pipe, stderr=pipe)


def open_pipes(process: subprocess.Popen[bytes], deadline: float) -> list[str]:
    """Which pipes somebody still holds at `deadline`, read until then."""
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("standard output", process.stdout), ("standard error", process.stderr)):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if not os.read(key.fd, 1 << 16):
                    selector.unregister(key.fileobj)
        return [key.data for key in selector.get_map().values()]


def running(mark: str) -> Iterator[tuple[int, str]]:
    """Processes, zombies aside, that carry a mark."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80]
            except OSError:  # gone meanwhile, or another user's
                continue


def half_written(command: KilledCommand, folder: Path) -> list[str]:
    """What in `folder` is neither complete nor absent."""
    own = {"killed.yaml", "cache", "kept", command.folder}
    strange = [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".partial"]
    strange += [path for path in folder.iterdir() if path.name not in own and path not in strange]
    wrong = [
        f"{path.relative_to(folder)} is left" for path in strange if not path.name.startswith("torchinductor")
    ]  # its own cache
    out = folder / command.folder
    if not out.exists():
        return wrong
    found = {path.name for path in out.iterdir()}
    if not (found <= command.files if command.grows else found == command.files):
        wrong.append(f"{command.folder} holds {', '.join(sorted(found))}")
    for path in out.rglob("*.json"):
        try:
            load_result(path) if path.name == "result.json" else json_of(path, 1 << 28)
        except InputError as error:
            wrong.append(error.render())
    return wrong


def usual_seconds(command: KilledCommand) -> float:
    """How long a command takes that is let be; it must leave what it should."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "killed.yaml").write_text(SWEEP)
        begun = time.monotonic()
        process = started(command, folder, uuid.uuid4().hex)
        out, errors = process.communicate()
        assert process.returncode == 0, (out + errors).decode()
        assert {path.name for path in (folder / command.folder).iterdir()} == command.files
        left = half_written(command, folder)
        assert left == [], left
        return time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description="Commands killed at random moments.")
    parser.add_argument("--moments", type=int, default=10, help="for every command and signal (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    options = parser.parse_args()
    chance, failed = random.Random(options.seed), 0
    assert shipped.ROOT == ROOT
    for name, command in COMMANDS.items():
        usual, kills = usual_seconds(command), 0
        for number in [one for one in SIGNALS for _ in range(options.moments)]:
            ran = False
            while not ran:  # a moment after the end does not count: the machine was busier when the time was taken
                moment = chance.uniform(0, usual)
                with tempfile.TemporaryDirectory() as folder:
                    ran, wrong = killed(command, moment, number, Path(folder))
                usual *= 1 if ran else 0.9
                failed += bool(wrong)
                for one in wrong:
                    print(f"{name}, {number.name} after {moment:.2f} s: {one}")
            kills += 1
        print(f"{name}: {kills} kills while it ran", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
