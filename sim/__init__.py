"""Cycle-level simulator of the Anda LLM accelerator.

>>> from sim import load_arch, load_workload, simulate
>>> result = simulate(load_arch("anda-hpca25"), load_workload("llama-7b"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.arch.load import load_arch
    from sim.simulation import simulate
    from sim.trace.described import from_module
    from sim.workload.load import load_workload

__all__ = ["from_module", "load_arch", "load_workload", "simulate"]

_HOMES = {
    "from_module": "sim.trace.described",
    "load_arch": "sim.arch.load",
    "load_workload": "sim.workload.load",
    "simulate": "sim.simulation",
}


def __getattr__(name: str) -> Any:
    """Import the library's functions when they are first used, so that the command line starts at once."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
