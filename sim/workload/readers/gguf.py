"""A GGUF file as a model: its shapes by a run on torch's meta device, its weights' formats from the file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from sim.workload.gemm import Workload
from sim.workload.options import Options
from sim.workload.readers.huggingface import BY_TRACE, refuse_without_torch


def read(path: Path, options: Options) -> Workload:
    """The workload of a GGUF file.

    Raises
    ------
    InputError
        Without torch, transformers or gguf, and for a model or format that is not modelled.
    """
    refuse_without_torch(path)
    workload: Workload = import_module(BY_TRACE).read(path, options)
    return workload
