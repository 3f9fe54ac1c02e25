"""Runs test_speed.py under pytest-benchmark and takes from its report what we record."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, CommandError

PYTEST = [
    "-m",
    "pytest",
    "benchmarks/test_speed.py",
    "--benchmark-enable",
    "--benchmark-only",
    "-p",
    "no:cacheprovider",
]
CLOCK = "--benchmark-timer=time.process_time"


def run_speed() -> Iterator[dict[str, Any]]:
    """A row for each benchmark: what was asked for, cycles, events, and processor seconds.

    Raises
    ------
    CommandError
        Where pytest finds a failure.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, *PYTEST, CLOCK, f"--benchmark-json={report}", "--quiet"]
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
            raise CommandError("pytest reports a failure; see above")
        for benchmark in json.loads(report.read_text())["benchmarks"]:
            stats = benchmark["stats"]
            seconds = {"cpu_seconds": stats["median"], "least_cpu_seconds": stats["min"], "rounds": stats["rounds"]}
            yield benchmark["extra_info"] | seconds
