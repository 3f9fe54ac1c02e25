"""Whole models, simulated and from the shell, each against the limit we set ourselves."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import CommandError, measure, repeated, simulation_summary, summary

TIMES = 5
"""Fresh processes for each figure, of which the median counts."""


@dataclass(frozen=True)
class BenchmarkJob:
    """One workload on one machine.

    Parameters
    ----------
    machine, model
        Overrides of the arch and of the workload.
    options
        Further options of `sim.py run` and of `load_workload`, by name.
    """

    title: str
    arch: str
    workload: str
    machine: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    options: dict[str, int | str] = field(default_factory=dict)

    def command(self, out: str) -> list[str]:
        """The command that runs it and leaves its results in `out`."""
        words = ["run", self.arch, self.workload]
        words += [word for assignment in self.machine for word in ("--set", assignment)]
        words += [word for assignment in self.model for word in ("--set-workload", assignment)]
        words += [word for name, value in self.options.items() for word in (f"--{name}", str(value))]
        return [sys.executable, "sim.py", *words, "--no-report", "--overwrite", "--out", out]

    def simulation(self) -> list[str]:
        """The command that times its simulation alone."""
        return [sys.executable, "-m", "benchmarks.simulation", json.dumps(asdict(self))]


@dataclass(frozen=True)
class Bar:
    """What we hold ourselves to; `clock` says which time."""

    clock: str
    seconds: float
    megabytes: float | None = None


LAYER = BenchmarkJob("LLaMA-7B, one layer, prefill of 2,048 tokens", "anda-hpca25", "llama-7b", model=("layers=1",))
LIMITED: tuple[tuple[BenchmarkJob, Bar], ...] = (
    (LAYER, Bar("simulation", 0.1, 150)),
    (
        BenchmarkJob("LLaMA-2-70B, prefill of 4,096 tokens", "anda-hpca25", "llama2-70b", options={"tokens": 4096}),
        Bar("shell", 1),
    ),
    (
        BenchmarkJob(
            "LLaMA-2-70B, decode of 4,096 steps after 2,048 tokens, scope `all`",
            "anda-hpca25",
            "llama2-70b",
            options={"phase": "decode", "context": 2048, "steps": 4096, "scope": "all"},
        ),
        Bar("shell", 5),
    ),
    (
        BenchmarkJob("LLaMA-7B layer, anda-datacenter, HBM3e", "anda-datacenter", "llama-7b", model=("layers=1",)),
        Bar("shell", 1),
    ),
    (
        BenchmarkJob(
            "LLaMA-7B layer, 16 weight ports on HBM2",
            "anda-hpca25",
            "llama-7b",
            machine=("mxu.count=16", "schedule.token_block=16", "schedule.output_block=256"),
            model=("layers=1",),
        ),
        Bar("shell", 1),
    ),
)
UNLIMITED: tuple[BenchmarkJob, ...] = (
    BenchmarkJob(
        "LLaMA-7B layer, schedule `best`", "anda-hpca25", "llama-7b", machine=("schedule=best",), model=("layers=1",)
    ),
)
HELP = Bar("shell", 0.3)


def run_jobs(say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """A row for each job, as it is done."""
    say("sim.py --help")
    yield _row("`sim.py --help`", None, lambda: {"shell": summary(repeated(_help(), TIMES))}, HELP)
    for job, limit in (*LIMITED, *((job, None) for job in UNLIMITED)):
        say(job.title)
        yield _row(job.title, job, lambda job=job: run_job(job), limit)  # type: ignore[misc]


def run_job(job: BenchmarkJob) -> dict[str, Any]:
    """Simulated and from the shell, in fresh processes."""
    measure(job.simulation())  # the file system's caches are warm, the program's are not
    simulated = repeated(job.simulation(), TIMES)
    with tempfile.TemporaryDirectory() as folder:
        shell = repeated(job.command(str(Path(folder) / "out")), TIMES)
    facts = {key: value for key, value in simulated[0].answer.items() if not key.endswith("seconds")}
    process = summary(simulated)
    return {
        **facts,
        "simulation": {**simulation_summary(simulated), "peak_megabytes": process["peak_megabytes"]},
        "shell": summary(shell),
    }


def _help() -> list[str]:
    return [sys.executable, "sim.py", "--help"]


def _row(
    title: str, job: BenchmarkJob | None, figures: Callable[[], dict[str, Any]], limit: Bar | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"title": title, "limit": asdict(limit) if limit else None}
    if job is not None:
        row["job"] = asdict(job)
    try:
        row |= {key: value for key, value in figures().items() if key != "gemms"}
    except CommandError as error:
        return {**row, "failed": str(error)}
    if limit is not None:
        row["met"] = met(row[limit.clock], limit)
    return row


def met(figures: dict[str, float], limit: Bar) -> dict[str, bool]:
    """Whether the limit holds, by wall clock and by processor time; memory counts in both."""
    fits = limit.megabytes is None or figures["peak_megabytes"] < limit.megabytes
    return {clock: fits and figures[f"{clock}_seconds"] < limit.seconds for clock in ("wall", "cpu")}
