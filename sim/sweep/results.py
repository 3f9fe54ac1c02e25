"""What is kept of a point: a few totals of its result, by the names that expressions use."""

from __future__ import annotations

from typing import Any, NamedTuple

from sim.errors import InputError
from sim.result import Result

PointTotals = dict[str, Any]
"""By the names of `QUANTITIES`, and `limit`; the store on disk holds them by these names for as long as it lives."""


class Quantity(NamedTuple):
    """Unit of measure and meaning."""

    unit: str
    meaning: str


QUANTITIES = {
    "cycles": Quantity("", "cycles of the whole run"),
    "seconds": Quantity("s", "time of the whole run"),
    "energy": Quantity("J", "energy of the whole run"),
    "energy_delay": Quantity("J s", "energy times time"),
    "area": Quantity("mm2", "area of the chip"),
    "dram_bytes": Quantity("B", "bytes from and to DRAM"),
    "sram_bytes": Quantity("B", "bytes from and to the buffers"),
    "macs": Quantity("", "multiply-accumulates"),
    "utilisation": Quantity("", "useful share of the multipliers' time"),
    "time_to_first_token": Quantity("s", "time of the prefill"),
    "time_per_token": Quantity("s", "time of a decode step"),
}
"""Names of results; a run without prefill has no time to first token, one without decode no time per token."""

JOULES_PER_PICOJOULE = 1e-12


def totals_of(result: Result) -> PointTotals:
    """The quantities of a result, those of its phases, and what limits it."""
    totals, hertz = result.totals, result.clock_hertz
    cycles = dict.fromkeys((layer.phase for layer in result.layers), 0)
    for layer in result.layers:
        cycles[layer.phase] += layer.count * layer.cycles
    energy = totals.energy_picojoules * JOULES_PER_PICOJOULE
    kept: PointTotals = {
        "cycles": totals.cycles,
        "seconds": totals.seconds,
        "energy": energy,
        "energy_delay": energy * totals.seconds,
        "area": totals.area_square_millimetres,
        "dram_bytes": totals.dram_bytes,
        "sram_bytes": totals.sram_bytes,
        "macs": totals.macs,
        "utilisation": totals.utilisation,
        "limit": result.limit.text,
    }
    if "prefill" in cycles:
        kept["time_to_first_token"] = cycles["prefill"] / hertz
    if "decode" in cycles:
        kept["time_per_token"] = cycles["decode"] / hertz / result.workload["run"]["steps"]
    return kept


def quantity(totals: PointTotals, name: str) -> Any:
    """One quantity of a point.

    Raises
    ------
    InputError
        Where the run had no phase that it is of.
    """
    if name not in totals:
        raise InputError(f"no such phase in the run: {QUANTITIES[name].meaning}", field=name)
    return totals[name]
