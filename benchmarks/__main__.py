"""`make bench`: every benchmark, or the parts named; see the package's docstring."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import host
from benchmarks.jobs import run_jobs
from benchmarks.measure import CommandError
from benchmarks.peers.compare import run_contests
from benchmarks.plot import svg
from benchmarks.speed import run_speed
from benchmarks.table import PAGE, PARTS, README, RESULTS, page, render, with_summary

BEGUN = time.perf_counter()
RUN: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "peers": lambda: run_contests(say),
    "jobs": lambda: run_jobs(say),
    "speed": run_speed,
}


def say(words: str) -> None:
    """Progress, on standard error."""
    print(f"[{time.perf_counter() - BEGUN:6.0f} s] {words}", file=sys.stderr, flush=True)


def main(chosen: list[str]) -> int:
    """Run the chosen parts, record each as it is done, and show all that is recorded."""
    unknown = [part for part in chosen if part not in PARTS]
    if unknown:
        print(f"no part `{unknown[0]}`; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    failures = 0
    for part in chosen or PARTS:
        say(f"{part} ...")
        try:
            record(part)
        except CommandError as error:
            failures += 1
            say(f"{part}: {error}; what was recorded before stays")
    PAGE.write_text(page())
    README.write_text(with_summary(README.read_text()))
    print(render(), end="")
    return 1 if failures else 0


def record(part: str) -> None:
    """Run one part and write what it found."""
    machine = host.describe()
    rows = list(RUN[part]())
    machine["load_after"] = round(os.getloadavg()[0], 1)
    (RESULTS / f"{part}.json").write_text(json.dumps({"host": machine, "rows": rows}, indent=1) + "\n")
    if part == "speed":
        (RESULTS / "speed.svg").write_text(svg(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
