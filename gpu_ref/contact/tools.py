"""Programs that a worker runs under: compute-sanitizer, Nsight Compute."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_ERRORS_FOUND = 86
_METRICS = (
    *("gpu__time_duration.sum", "dram__bytes_read.sum", "dram__bytes_write.sum", "sm__cycles_elapsed.max"),
    *("smsp__inst_executed.sum", "sm__inst_executed_pipe_tensor.sum", "launch__registers_per_thread"),
    *("l1tex__data_bank_conflicts_pipe_lsu.sum", "smsp__issue_active.avg.pct_of_peak_sustained_active"),
    *("sm__warps_active.avg.pct_of_peak_sustained_active", "local_load.sum", "local_store.sum"),
)


@dataclass(frozen=True)
class Tool:
    """A command that a worker's command is put behind; lines that hold a `shown` text are kept."""

    name: str
    program: str
    options: tuple[str, ...]
    shown: tuple[str, ...]

    def command(self) -> list[str] | None:
        """None where the program is not installed."""
        found = shutil.which(self.program) or _in_toolkit(self.program)
        return None if found is None else [found, *self.options]


def _sanitizer(tool: str) -> Tool:
    options = ("--tool", tool, "--error-exitcode", str(_ERRORS_FOUND), "--target-processes", "all")
    return Tool(tool, "compute-sanitizer", options, ("=========",))


SANITIZERS = tuple(_sanitizer(tool) for tool in ("memcheck", "racecheck", "synccheck"))


def counters(function: str) -> Tool:
    """Nsight Compute on the second launch of one kernel function."""
    options = ("--target-processes", "all", "--csv", "--page", "raw", "--kernel-name", function)
    launches = ("--launch-skip", "1", "--launch-count", "1", "--metrics", ",".join(_METRICS))
    return Tool("ncu", "ncu", (*options, *launches), ('"', "==ERROR=="))


def _in_toolkit(program: str) -> str | None:
    roots = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    for root in filter(None, roots):
        for folder in ("bin", "compute-sanitizer"):
            path = Path(root) / folder / program
            if os.access(path, os.X_OK):
                return str(path)
    return None
