"""What a run with some blocks sees of a machine: what its schedule leaves out is not there.

So a schedule that names all that it uses runs on a larger machine as on the one that it was found for, cycle by cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import TypeVar

from sim.arch.schema import Hardware, Schedule, Uses
from sim.arch.section import MachineSection

AnyHardware = TypeVar("AnyHardware", bound=Hardware)
AnySection = TypeVar("AnySection", bound=MachineSection)

PLACES = {
    "output_registers": "mxu.output_registers",
    "activation_bytes": "buffers.activation.bytes",
    "exponent_bytes": "buffers.activation.exponent_bytes",
    "activation_fill_port_bits": "buffers.activation.fill_port_bits",
    "weight_bytes": "buffers.weight.bytes",
    "weight_fill_port_bits": "buffers.weight.fill_port_bits",
    "weight_port_bits": "weight_dispatcher.port_bits",
    "activation_port_bits": "activation_dispatcher.port_bits",
    "exponent_port_bits": "activation_dispatcher.exponent_port_bits",
    "collector_port_bits": "collector.port_bits",
    "bpc_lanes": "bpc.lanes",
    "writer_blocks": "writer.blocks",
    "outstanding_loads": "dram.outstanding_loads",
}
"""The keys of a machine that `schedule.uses` names, by its own."""


def used(hardware: AnyHardware, schedule: Schedule) -> AnyHardware:
    """What a run sees."""
    split = hardware.split_of(schedule)
    hardware = _with(hardware, "mxu.count", split.mxus)
    hardware = _with(hardware, "activation_dispatcher.streams", 1)
    if split.k == 1:
        hardware = _with(hardware, "collector.reduction_cycles", None)
    for _, place, amount in _named(schedule):
        hardware = _with(hardware, place, amount)
    return hardware


def check_uses(hardware: Hardware, schedule: Schedule) -> None:
    """Refuse a schedule that uses more than there is.

    Raises
    ------
    InputError
        With what it needs and what there is.
    """
    for name, place, amount in _named(schedule):
        available = _amount(hardware, place)
        if available is None or amount > available:
            raise hardware.refuse(
                f"schedule.uses.{name}",
                "more than there is",
                needed=f"{amount}",
                available=f"{available or 'none'} ({place})",
            )


def all_of(hardware: Hardware) -> Uses:
    """Everything that a machine has."""
    return Uses(**{name: _amount(hardware, place) or None for name, place in PLACES.items()})


def _named(schedule: Schedule) -> Iterator[tuple[str, str, int]]:
    for name, place in PLACES.items() if schedule.uses is not None else ():
        amount = getattr(schedule.uses, name)
        if amount is not None:
            yield name, place, amount


def _amount(hardware: Hardware, place: str) -> int | None:
    section, _, key = place.rpartition(".")
    owner = attrgetter(section)(hardware)
    return None if owner is None else getattr(owner, key)


def _with(section: AnySection, place: str, value: int | None) -> AnySection:
    key, _, rest = place.partition(".")
    inner = getattr(section, key)
    if rest and inner is None:
        return section
    return section.model_copy(update={key: _with(inner, rest, value) if rest else value})
