"""The machine and the workload of a result, as its file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.arch.load import arch_of
from sim.arch.schema import Arch
from sim.errors import InputError
from sim.result import Result
from sim.source import Source
from sim.workload.gemm import Workload
from sim.workload.model_source import workload_of
from sim.workload.options import Options


def machine_of(result: Result, changes: Mapping[str, Any] | None = None) -> Arch:
    """The machine of a result, with some of its keys changed.

    Parameters
    ----------
    changes
        Values by key, such as `mxu.rows`.

    Raises
    ------
    InputError
        Where the changed machine is none.
    """
    values: Any = _copied(result.arch)
    for key, value in (changes or {}).items():
        *above, last = key.split(".")
        section = values
        for name in above:
            section = section[name]
        section[last] = value
    return arch_of(Source(values, {}, f"{result.machine_name} of this result"))


def work_of(result: Result, changes: Mapping[str, int] | None = None) -> Workload:
    """The workload of a result, with some options of its run changed.

    Raises
    ------
    InputError
        Where the result does not hold a model: a trace, or a list of GeMMs.
    """
    if "hidden_size" not in result.workload:
        raise InputError(
            f"{result.workload_name} is a list of GeMMs or a trace, which a result does not hold",
            field="RESULT",
            facts={"allowed": "results of models"},
        )
    values = _copied(result.workload)
    values["run"] |= changes or {}
    return workload_of(Source(values, {}, f"{result.workload_name} of this result"), Options())


def _copied(data: Any) -> Any:
    return {key: _copied(value) for key, value in data.items()} if isinstance(data, Mapping) else data
