"""A buffer of a machine as SRAM: what a bit costs to read and write, its area and leakage."""

from __future__ import annotations

from dataclasses import dataclass

from sim.arch.schema import Arch
from sim.cost.sram import Macro, OutsideSramTableError, macro


@dataclass(frozen=True)
class Memory:
    """A memory of equal banks; energies are a bit, area and leakage of all of it."""

    read_picojoules_per_bit: float
    write_picojoules_per_bit: float
    area_square_millimetres: float
    leakage_milliwatts: float


def memory(arch: Arch, field: str, size: int, banks: int, width: int) -> Memory:
    """A memory of `size` bytes in banks of `width` bits.

    Raises
    ------
    InputError
        For macros outside the SRAM table; names the field, and the sizes there are.
    """
    try:
        figures: Macro = macro(arch.cost.sram.node_nanometres, size // banks, width)
    except OutsideSramTableError as error:
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
