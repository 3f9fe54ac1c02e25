"""What of a machine may be doubled, and what must grow along so that the doubled part is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim.result import Result


@dataclass(frozen=True)
class Knob:
    """A key and those that are doubled with it; keys that a machine does not have are left out.

    Parameters
    ----------
    key
        Of the arch YAML, or `batch` of the workload.
    along
        What must grow with it.
    """

    key: str
    along: tuple[str, ...] = ()


KNOBS = (
    Knob(
        "mxu.rows",
        (
            "activation_dispatcher.port_bits",
            "activation_dispatcher.exponent_port_bits",
            "collector.port_bits",
            "schedule.token_block",
        ),
    ),
    Knob("mxu.columns", ("weight_dispatcher.port_bits", "schedule.output_block")),
    Knob("mxu.count", ("schedule.output_block",)),
    Knob("mxu.lanes", ("weight_dispatcher.port_bits", "activation_dispatcher.port_bits")),
    Knob("mxu.output_registers"),
    Knob("activation_dispatcher.port_bits", ("activation_dispatcher.exponent_port_bits",)),
    Knob("weight_dispatcher.port_bits"),
    Knob("collector.port_bits"),
    Knob("buffers.activation.bytes", ("buffers.activation.exponent_bytes",)),
    Knob("buffers.weight.bytes"),
    Knob("bpc.lanes"),
    Knob("quantiser.lanes"),
    Knob("vector.fpus"),
    Knob("writer.blocks"),
    Knob("dram.bandwidth_gigabytes_per_second"),
    Knob("dram.count"),
    Knob("dram.outstanding_loads"),
    Knob("schedule.token_block"),
    Knob("schedule.output_block"),
)
BATCH = Knob("batch")
"""More sequences at a time: no hardware, and twice the work."""


def doubled(result: Result, knob: Knob) -> dict[str, Any]:
    """Values of the knob's keys, twice what the machine of a result has; none where it has no such key."""
    if not _number(result.arch, knob.key):
        return {}
    return {key: 2 * number for key in (knob.key, *knob.along) if (number := _number(result.arch, key))}


def knobs_of(result: Result) -> Iterator[tuple[Knob, dict[str, Any]]]:
    """Those that the machine of a result has."""
    for knob in KNOBS:
        if changes := doubled(result, knob):
            yield knob, changes


def _number(values: Mapping[str, Any], key: str) -> int | float | None:
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None
