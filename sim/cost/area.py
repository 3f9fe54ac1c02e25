"""Area of a machine by component, in square millimetres."""

from __future__ import annotations

from sim.arch.schema import Arch
from sim.cost.technology import technology


def area_square_millimetres(arch: Arch) -> dict[str, float]:
    """Area by component; DRAM is off the chip."""
    cost, memories, mxu = arch.cost, technology(arch), arch.mxu
    exponent = memories.exponent.area_square_millimetres if memories.exponent else 0.0
    area = {
        "mxu": cost.pe.area_square_millimetres * mxu.rows * mxu.columns * mxu.count,
        "vector": cost.vector.area_square_millimetres_per_fpu * arch.vector.fpus,
        "controller": cost.controller.area_square_millimetres,
        "activation_buffer": memories.activation.area_square_millimetres + exponent,
        "weight_buffer": memories.weight.area_square_millimetres,
    }
    if arch.bpc is not None and cost.bpc is not None:
        area["bpc"] = cost.bpc.area_square_millimetres_per_lane * arch.bpc.lanes * mxu.count
    return area
