"""Energy: counts of actions times the energy of one, and standing power times time."""

from __future__ import annotations

from collections.abc import Mapping

from sim.arch.schema import Arch
from sim.cost.technology import technology

PICOJOULES_PER_MILLIJOULE = 1e9

GROUPS = {
    "mxu": "compute",
    "bpc": "compute",
    "vector": "compute",
    "controller": "compute",
    "activation_buffer": "sram",
    "weight_buffer": "sram",
    "leakage": "sram",
    "dram": "dram",
}
"""Component to the group of the paper's energy figure. Leakage is that of the buffers; logic's is in its power."""


def energy_picojoules(arch: Arch, counters: Mapping[str, int], cycles: int) -> dict[str, float]:
    """Energy of a run by component, in picojoules.

    Parameters
    ----------
    counters
        The run's counters; those of units that did not take part may be missing.
    """
    cost, memories = arch.cost, technology(arch)
    count = counters.get
    milliwatt_cycles = float(cycles / arch.clock.hertz) * PICOJOULES_PER_MILLIJOULE
    activation = (
        count("activation_dispatcher.read_bits", 0) * memories.activation.read_picojoules_per_bit
        + 8 * count("activation_buffer.filled_bytes", 0) * memories.activation.write_picojoules_per_bit
    )
    leakage = memories.activation.leakage_milliwatts + memories.weight.leakage_milliwatts
    if memories.exponent is not None:
        activation += count("activation_dispatcher.exponent_read_bits", 0) * memories.exponent.read_picojoules_per_bit
        activation += 8 * count("activation_buffer.filled_side_bytes", 0) * memories.exponent.write_picojoules_per_bit
        leakage += memories.exponent.leakage_milliwatts
    weight = (
        count("weight_dispatcher.read_bits", 0) * memories.weight.read_picojoules_per_bit
        + 8 * count("weight_buffer.filled_bytes", 0) * memories.weight.write_picojoules_per_bit
    )
    bpc = 0.0
    if arch.bpc is not None and cost.bpc is not None:
        bpc = cost.bpc.power_milliwatts_per_lane * arch.bpc.lanes * arch.mxu.count * milliwatt_cycles
    moved = sum(count(f"dram.{side}_bytes", 0) for side in ("weight", "activation", "output"))
    return {
        "mxu": count("mxu.pe_cycles", 0) * cost.pe.energy_picojoules_per_cycle,
        "bpc": bpc,
        "vector": count("vector.operations", 0) * cost.vector.energy_picojoules_per_operation
        + cost.vector.power_milliwatts_per_fpu * arch.vector.fpus * milliwatt_cycles,
        "controller": cost.controller.power_milliwatts * milliwatt_cycles,
        "activation_buffer": activation,
        "weight_buffer": weight,
        "leakage": leakage * milliwatt_cycles,
        "dram": 8 * moved * cost.dram.energy_picojoules_per_bit,
    }


def by_group(components: Mapping[str, float]) -> dict[str, float]:
    """Energy of compute, sram and dram."""
    groups = dict.fromkeys(("compute", "sram", "dram"), 0.0)
    for component, energy in components.items():
        groups[GROUPS[component]] += energy
    return groups
