"""What one action costs on a machine: the arch YAML's cost tables, and the SRAM macros its buffers are made of."""

from __future__ import annotations

from dataclasses import dataclass

from sim.arch.schema import Arch
from sim.cost.sram import Macro, OutsideTableError, macro

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Memory:
    """A memory of equal banks; energies are a bit, area and leakage of all of it."""

    read_picojoules_per_bit: float
    write_picojoules_per_bit: float
    area_square_millimetres: float
    leakage_milliwatts: float


@dataclass(frozen=True)
class Technology:
    """The memories of a machine."""

    activation: Memory
    exponent: Memory | None
    weight: Memory


def technology(arch: Arch) -> Technology:
    """Look up the memories of a machine.

    Raises
    ------
    InputError
        For a buffer whose macros lie outside the SRAM table; names the key, and the sizes there are.
    """
    buffers, sram = arch.buffers, arch.cost.sram
    activation_width = arch.activation_dispatcher.port_bits
    activation = _memory(
        arch, "buffers.activation.bytes", buffers.activation.bytes, buffers.activation.banks, activation_width
    )
    weight = _memory(
        arch, "buffers.weight.bytes", buffers.weight.bytes, buffers.weight.banks, arch.weight_dispatcher.port_bits
    )
    exponent = None
    if arch.activation_dispatcher.exponent_port_bits is not None:
        exponent = _memory(
            arch,
            "buffers.activation.exponent_bytes",
            buffers.activation.exponent_bytes,
            1,
            arch.activation_dispatcher.exponent_port_bits,
        )
    printed = sram.activation_square_millimetres_per_mebibyte
    if printed is not None:
        area = printed * (buffers.activation.bytes + buffers.activation.exponent_bytes) / MEBIBYTE
        activation = _with_area(activation, area)
        exponent = exponent and _with_area(exponent, 0.0)
    if sram.weight_square_millimetres_per_mebibyte is not None:
        weight = _with_area(weight, sram.weight_square_millimetres_per_mebibyte * buffers.weight.bytes / MEBIBYTE)
    return Technology(activation, exponent, weight)


def _memory(arch: Arch, field: str, size: int, banks: int, width: int) -> Memory:
    try:
        figures: Macro = macro(arch.cost.sram.node_nanometres, size // banks, width)
    except OutsideTableError as error:
        raise arch.refuse(
            field,
            f"a macro of {size // banks} bytes x {width} bits is outside the SRAM table",
            allowed=f"{error.quantity} from {error.smallest} to {error.largest}, found {error.asked}",
        ) from None
    return Memory(
        read_picojoules_per_bit=figures.read_picojoules / width,
        write_picojoules_per_bit=figures.write_picojoules / width,
        area_square_millimetres=figures.area_square_millimetres * banks,
        leakage_milliwatts=figures.leakage_milliwatts * banks,
    )


def _with_area(memory: Memory, area: float) -> Memory:
    return Memory(memory.read_picojoules_per_bit, memory.write_picojoules_per_bit, area, memory.leakage_milliwatts)
