"""A model in this project's YAML (schema: sim/workload/model.py)."""

from __future__ import annotations

from pathlib import Path

from sim import source
from sim.workload.gemm import Workload
from sim.workload.model_source import workload_of
from sim.workload.options import Options


def read(path: Path, options: Options) -> Workload:
    """The workload of a model YAML; `extends` lays it over another one."""
    return workload_of(source.load(path, "workloads"), options)
