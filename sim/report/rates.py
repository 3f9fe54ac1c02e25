"""Tokens a second and what they cost, as the terminal and the page show them."""

from __future__ import annotations

from sim.report.quantities import si
from sim.result import Result

RATES = ("tokens/s", "first token", "per output token", "J/token", "W", "DRAM", "TOPS")


def rates_by_phase(result: Result) -> dict[str, tuple[str, ...]]:
    """Texts in the order of RATES, by phase; what a phase does not have is empty."""
    return {phase: _texts(result, phase) for phase in result.phases}


def _texts(result: Result, phase: str) -> tuple[str, ...]:
    one = result.phases[phase].rates
    step = "" if one.seconds_per_step is None else si(one.seconds_per_step, "s")
    return (
        "" if one.tokens_per_second is None else si(one.tokens_per_second, digits=3),
        step if phase == "prefill" else "",
        step if phase == "decode" else "",
        "" if one.joules_per_token is None else si(one.joules_per_token, "J", digits=3),
        si(one.watts, "W", digits=3),
        si(one.dram_gigabytes_per_second * 1e9, "B/s", digits=3),
        f"{one.tera_operations_per_second:.3g}",
    )
