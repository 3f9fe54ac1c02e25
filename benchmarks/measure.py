"""Runs a command in a process of its own: wall time, processor time and peak memory.

The peak of a process counts what its parent held when it was started, so this module, and whoever calls it, imports
nothing large.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KIBIBYTE = 1024
"""Linux reports peak memory in KiB."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Compiled modules are kept from one run to the next, as Python does unless it is told not to."""


class CommandError(Exception):
    """A command that failed: its last words."""


@dataclass(frozen=True)
class Measurement:
    """One run of a command; `cpu_seconds` is user + system of the process and all its children."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float
    output: str

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object in the last line that the command printed."""
        found: dict[str, Any] = json.loads(self.output.strip().splitlines()[-1])
        return found


def measure(
    command: Sequence[str], folder: Path = ROOT, environment: Mapping[str, str] = ENVIRONMENT, limit_seconds: int = 3600
) -> Measurement:
    """Run `command` in `folder`.

    Raises
    ------
    CommandError
        Where it fails, or is not there, or takes longer than `limit_seconds`.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                ["timeout", str(limit_seconds), *command], cwd=folder, stdout=output, stderr=errors, env=environment
            )
        except OSError as error:
            raise CommandError(f"{command[0]}: {error.strerror}") from None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            words = (errors.read() + output.read()).strip().splitlines() or ["no message"]
            raise CommandError(f"exit code {process.returncode}: {words[-1].replace(f'{ROOT}/', '')}")
        return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIBIBYTE / 1e6, output.read())


def repeated(command: Sequence[str], times: int, **how: Any) -> list[Measurement]:
    """The same command, again and again."""
    return [measure(command, **how) for _ in range(times)]


def summary(runs: Sequence[Measurement]) -> dict[str, float]:
    """The process's medians over several runs, and its largest peak."""
    return {
        "wall_seconds": median(run.wall_seconds for run in runs),
        "cpu_seconds": median(run.cpu_seconds for run in runs),
        "peak_megabytes": max(run.peak_megabytes for run in runs),
    }


def simulation_summary(runs: Sequence[Measurement]) -> dict[str, float]:
    """Medians over several runs of the times that the command printed of its simulation alone."""
    return {key: median(run.answer[key] for run in runs) for key in ("wall_seconds", "cpu_seconds")}
