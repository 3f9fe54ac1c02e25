"""How a figure of one piece of hardware becomes that of another.

    PE           area and energy x (1 - growing shares + each share x its keys over the described ones)
    registers    every flip-flop beside the described ones has the area, the energy a clocked cycle and the leakage
                 that `cost.logic` says; fewer than described save as much
    array        a figure of one PE contains its share of the ports of the described array
    clock        c described stages at f0 become ceil(c * f / f0) at f, up to cost.logic.highest_frequency_megahertz;
                 a higher clock asks for more stages, and their registers cost
    process      figures of another node or voltage are refused: nobody has a rule for them

A PE states its stages, `mxu.pipeline_cycles`, as they are latency; too few for the clock are refused. A compressor lane
and an FPU are one stage at the described clock; their further stages are hidden behind the stream. That a sum may go
round a loop of several stages, with other sums in between, is taken for granted; larger gates and a higher voltage,
which buy some clock too, are not modelled, and SRAM is taken to keep up.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from sim.arch.cost import PeCost, Process
from sim.arch.schema import Arch

SQUARE_MILLIMETRES = 1e-6
"""Of a square micrometre."""
PICOJOULES = 1e-3
"""Of a femtojoule."""
MILLIWATTS = 1e-6
"""Of a nanowatt."""


ADDER_STAGE_BITS = 64
"""Flip-flops of a stage of an FP32 addition: both operands, or what they have become."""


@dataclass(frozen=True)
class Figures:
    """One of a kind: energy at work for a cycle or an operation, standing power, area."""

    picojoules: float
    milliwatts: float
    square_millimetres: float


def registers(arch: Arch, bits: float) -> Figures:
    """So many flip-flops beside the described, or fewer where negative."""
    logic = arch.cost.logic
    return Figures(
        picojoules=bits * logic.flip_flop_femtojoules_per_cycle * PICOJOULES,
        milliwatts=bits * logic.flip_flop_leakage_nanowatts * MILLIWATTS,
        square_millimetres=bits * logic.flip_flop_square_micrometres * SQUARE_MILLIMETRES,
    )


def port(arch: Arch, bits: int, described_bits: int) -> Figures:
    """The registers of a port into or out of every MXU, beside those that its PEs' figures contain."""
    mxu, described = arch.mxu, arch.cost.pe.describes
    contained = Fraction(mxu.rows * mxu.columns, described.rows * described.columns) * described_bits
    return registers(arch, float(mxu.count * (bits - contained)))


def selection(arch: Arch, bits: float, inputs: int) -> Figures:
    """Multiplexers that take one of so many inputs of `bits` bits, and the energy of a cycle's bits through them."""
    logic = arch.cost.logic
    return Figures(
        picojoules=bits * (inputs - 1).bit_length() * logic.multiplexer_femtojoules_per_bit * PICOJOULES,
        milliwatts=0.0,
        square_millimetres=bits * (inputs - 1) * logic.multiplexer_square_micrometres * SQUARE_MILLIMETRES,
    )


def fp32_adder(arch: Arch, cycles: int) -> Figures:
    """An FP32 addition of so many cycles: one stage at the clock of the described PE, whose accumulator is one.

    Raises
    ------
    InputError
        For fewer than the clock needs.
    """
    logic, needed = arch.cost.logic, stages(arch, arch.cost.pe.describes, 1)
    if cycles < needed:
        clock = arch.clock.frequency_megahertz
        problem = f"found {cycles}: too few stages for {clock:g} MHz"
        raise arch.refuse("collector.reduction_cycles", problem, needed=f"{needed}")
    held = registers(arch, ADDER_STAGE_BITS * cycles)
    return Figures(
        picojoules=logic.fp32_adder_picojoules + held.picojoules,
        milliwatts=held.milliwatts,
        square_millimetres=logic.fp32_adder_square_micrometres * SQUARE_MILLIMETRES + held.square_millimetres,
    )


def further_stages(arch: Arch, described: Process) -> int:
    """Pipeline stages that a part of one stage at the described clock needs at this one, beside the one."""
    return max(stages(arch, described, 1) - 1, 0)


def stages(arch: Arch, described: Process, count: int) -> int:
    """Stages that `count` described ones become at this machine's clock."""
    return ceil(count * Fraction(str(arch.clock.frequency_megahertz)) / Fraction(str(described.frequency_megahertz)))


def check_process(arch: Arch, section: str, described: Process) -> None:
    """Refuse figures of another process, and a clock beyond the rule.

    Raises
    ------
    InputError
        Names what the figures describe and what the machine is.
    """
    node, volts = arch.cost.sram.node_nanometres, arch.cost.logic.volts
    for key, found, needed, unit in (
        ("node_nanometres", described.node_nanometres, node, "nm, as cost.sram"),
        ("volts", described.volts, volts, "V, as cost.logic"),
    ):
        if found != needed:
            problem = f"found {found}: there is no rule from one process to another"
            raise arch.refuse(f"{section}.describes.{key}", problem, allowed=f"{needed} {unit}")
    highest, clock = arch.cost.logic.highest_frequency_megahertz, arch.clock.frequency_megahertz
    if clock > max(highest, described.frequency_megahertz):
        problem = f"found {clock:g}: figures of {described.frequency_megahertz:g} MHz do not scale that far"
        raise arch.refuse("clock.frequency_megahertz", problem, allowed=f"up to {highest:g} MHz")


def processing_element(arch: Arch) -> Figures:
    """One PE of the machine, from the one that `cost.pe` describes.

    Raises
    ------
    InputError
        For another kind or process than described, and for fewer pipeline stages than the clock needs.
    """
    cost, mxu = arch.cost.pe, arch.mxu
    _check_pe(arch, cost)
    grown = _growth(arch, cost)
    described = cost.describes
    bits = cost.output_register_bits * (mxu.output_registers - described.output_registers)
    clocked = cost.stage_bits * (mxu.pipeline_cycles - described.pipeline_cycles)
    column = cost.column_bits_per_value * (mxu.dot_length - described.dot_length) / mxu.rows
    standing, active = registers(arch, bits + clocked + column), registers(arch, clocked)
    return Figures(
        picojoules=cost.energy_picojoules_per_cycle * grown + active.picojoules,
        milliwatts=standing.milliwatts,
        square_millimetres=cost.area_square_millimetres * grown + standing.square_millimetres,
    )


def _growth(arch: Arch, cost: PeCost) -> float:
    mxu, described, shares = arch.mxu, cost.describes, cost.growth
    lanes = (mxu.lanes or 1) / (described.lanes or 1)
    mantissa_bits = (mxu.mantissa_bits or 1) / (described.mantissa_bits or 1)
    activation_bits = (mxu.activation_bits or 1) / (described.activation_bits or 1)
    return 1 + (
        shares.with_lanes * (lanes - 1)
        + shares.with_lanes_and_mantissa_bits * (lanes * mantissa_bits - 1)
        + shares.with_lanes_and_activation_bits * (lanes * activation_bits - 1)
        + shares.with_dot_length * (mxu.dot_length / described.dot_length - 1)
    )


def _check_pe(arch: Arch, cost: PeCost) -> None:
    mxu, described = arch.mxu, cost.describes
    if mxu.pe != described.kind:
        problem = f"figures of a PE of kind {described.kind}; this machine's are {mxu.pe}"
        raise arch.refuse("cost.pe.describes.kind", problem, needed="cost.pe with figures of that kind")
    for key in ("lanes", "mantissa_bits", "activation_bits"):
        if (getattr(mxu, key) is None) != (getattr(described, key) is None):
            raise arch.refuse(f"cost.pe.describes.{key}", f"stands with mxu.{key}, and only with it")
    check_process(arch, "cost.pe", described)
    needed = stages(arch, described, described.pipeline_cycles)
    if mxu.pipeline_cycles < needed:
        clock, slow = arch.clock.frequency_megahertz, described.frequency_megahertz
        raise arch.refuse(
            "mxu.pipeline_cycles",
            f"found {mxu.pipeline_cycles}: too few stages for {clock:g} MHz",
            needed=f"{needed}, as {described.pipeline_cycles} at {slow:g} MHz (cost.pe.describes)",
        )
