"""What a space starts from: machines as complete values, workloads by file and overrides, each read once."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from sim.arch import load as arch_files
from sim.arch.resolve import replaced
from sim.sweep.axes import Overrides
from sim.workload import load as workload_files
from sim.workload.gemm import Workload

Config = dict[str, Any]


def file_beside(name: str, beside: str) -> str:
    """A base beside the sweep file, else as it is named."""
    path = Path(beside).parent / name
    return str(path) if path.is_file() else name


def arch_values(name: str, beside: str) -> Config:
    """Every key of a machine, those of its defaults included; expressions as they are written."""
    arch = arch_files.load_arch(file_beside(name, beside))
    values = arch.model_dump(mode="json")
    for path, text in arch.expressions.items():
        values = replaced(values, path, text)
    return values


@lru_cache(maxsize=512)
def load_work(file: str, overrides: tuple[str, ...]) -> Workload:
    """A workload; equal ones are the same object."""
    return workload_files.load_workload(file, overrides=overrides)


def assignments(overrides: Overrides) -> tuple[str, ...]:
    """The workload's part of overrides, as a workload takes them."""
    return tuple(
        f"{key.removeprefix('workload.')}={json.dumps(value)}"
        for key, value in overrides.items()
        if key.startswith("workload.")
    )


def unsourced(values: Any) -> Any:
    """Nested sections without the texts that nothing computes with."""
    if isinstance(values, dict):
        return {key: unsourced(value) for key, value in values.items() if key != "source"}
    return values
