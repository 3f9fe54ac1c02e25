"""Tokens, watts and bytes a second of a phase, out of its sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.result import PhaseRates

PICO, GIGA, TERA = 1e-12, 1e9, 1e12
OPERATIONS_A_MAC = 2


def rates(
    run: Mapping[str, Any], phase: str, *, seconds: float, picojoules: float, dram_bytes: int, macs: int
) -> PhaseRates:
    """What a phase delivers and draws.

    Parameters
    ----------
    run
        What was asked of a model; empty for other workloads.
    """
    steps, tokens = _asked(run, phase)
    joules = picojoules * PICO
    return PhaseRates(
        tokens=tokens,
        tokens_per_second=tokens / seconds if tokens else None,
        seconds_per_step=seconds / steps if steps else None,
        joules_per_token=joules / tokens if tokens else None,
        watts=joules / seconds,
        dram_gigabytes_per_second=dram_bytes / seconds / GIGA,
        tera_operations_per_second=OPERATIONS_A_MAC * macs / seconds / TERA,
    )


def _asked(run: Mapping[str, Any], phase: str) -> tuple[int | None, int | None]:
    """Steps and tokens of a phase."""
    if phase == "prefill" and {"batch", "tokens"} <= run.keys():
        return 1, run["batch"] * run["tokens"]
    if phase == "decode" and {"batch", "steps"} <= run.keys():
        return run["steps"], run["batch"] * run["steps"]
    return None, None
