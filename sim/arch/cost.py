"""What a machine's parts cost, and which hardware each figure describes: the keys of `cost` in an arch YAML.

A figure stands for the hardware under its `describes`. Other hardware is scaled by the rules of sim/cost/scaling.py,
with the shares and the flip-flops that stand beside the figure, or refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sim.arch.section import Count, MachineSection, NotNegative, NotNegativeCount, Positive, Share

WHOLE = 1 + 1e-9
"""Shares may add up to all, in figures that people round."""


class Process(MachineSection):
    """The clock and the process that a figure is of."""

    frequency_megahertz: Positive
    node_nanometres: Count
    volts: Positive


class PeShape(Process):
    """A PE, and the array and ports that its figures are a share of."""

    kind: str
    """As in `mxu.pe`."""
    lanes: Count | None = None
    dot_length: Count
    mantissa_bits: Count | None = None
    activation_bits: Count | None = None
    output_registers: Count
    pipeline_cycles: NotNegativeCount
    rows: Count
    """PEs of the array whose ports the figures of its PEs contain."""
    columns: Count
    weight_port_bits: Count
    activation_port_bits: Count
    exponent_port_bits: NotNegativeCount = 0
    collector_port_bits: Count


class PeGrowth(MachineSection):
    """Shares of a PE's area and energy that grow with its shape, each in proportion; the rest is there once a PE."""

    with_lanes: Share = 0.0
    with_lanes_and_mantissa_bits: Share = 0.0
    """With the product of both."""
    with_lanes_and_activation_bits: Share = 0.0
    """With the product of both."""
    with_dot_length: Share = 0.0

    @model_validator(mode="after")
    def _at_most_all(self) -> PeGrowth:
        with_both = self.with_lanes_and_mantissa_bits + self.with_lanes_and_activation_bits
        if self.with_lanes + with_both + self.with_dot_length > WHOLE:
            raise ValueError("the shares add up to more than 1")
        return self


class PeCost(MachineSection):
    energy_picojoules_per_cycle: Positive
    """Of one PE at work for one cycle; PEs without a row or column to compute are gated."""
    area_square_millimetres: Positive
    describes: PeShape
    """The PE that the figures are of."""
    growth: PeGrowth
    output_register_bits: Count
    """Flip-flops of one output register of a PE."""
    stage_bits: Count
    """Flip-flops that one more pipeline stage puts into a PE."""
    column_bits_per_value: NotNegativeCount
    """Flip-flops of a column for each value of `dot_length`, where weights wait there and not in the PE."""


class BpcShape(Process):
    group_size: Count


class BpcCost(MachineSection):
    energy_picojoules_per_group: NotNegative
    """Of a group of FP16 outputs gathered, aligned and handed on."""
    power_milliwatts_per_lane: NotNegative
    """Standing power, at work or not."""
    area_square_millimetres_per_lane: Positive
    stage_bits: Count
    """Flip-flops that one more pipeline stage puts into a lane."""
    describes: BpcShape


class QuantiserCost(MachineSection):
    energy_picojoules_per_value: Positive
    """Of an FP16 value in both passes, with its share of the divider's work."""
    area_square_millimetres_per_lane: Positive
    area_square_millimetres: Positive
    """Of what all lanes share: the divider."""
    stage_bits: Count
    """Flip-flops that one more pipeline stage puts into a lane."""
    describes: Process


class PlaneFillCost(MachineSection):
    """What fills up partly read planes (`weight_dispatcher.fills_planes`), at every column of every MXU."""

    energy_picojoules_per_weight: Positive
    """Of a weight that is filled up."""
    square_micrometres_per_weight: Positive
    """Of a column, for each value of `mxu.dot_length`."""
    square_micrometres_per_column: Positive
    """Of a column, beside that: its zero point and scale."""
    stage_bits_per_weight: Count
    """Flip-flops that one more pipeline stage puts into a column, for each value of `mxu.dot_length`."""
    describes: Process


class VectorShape(Process):
    fpus: Count


class VectorCost(MachineSection):
    power_milliwatts_per_fpu: NotNegative
    """Standing power, at work or not."""
    energy_picojoules_per_operation: Positive
    area_square_millimetres_per_fpu: Positive
    """Of the FPUs up to those described."""
    area_square_millimetres_per_further_fpu: Positive
    stage_bits: Count
    """Flip-flops that one more pipeline stage puts into an FPU."""
    describes: VectorShape


class ControllerShape(MachineSection):
    launch_cycles: Count
    writer_blocks: Count
    writer_block_values: Count
    """FP16 outputs of a block that waits for DRAM."""
    outstanding_loads: Count


class ControllerCost(MachineSection):
    """The controller, and with it all that moves data and is not printed apart: loaders and writer."""

    power_milliwatts: NotNegative
    area_square_millimetres: Positive
    descriptor_bits: Count
    """Of a GeMM, read in equal parts through `controller.launch_cycles`, each into a register."""
    load_bits: Count
    """Flip-flops by which a loader remembers one load under way."""
    block_square_micrometres_per_bit: Positive
    """Memory in which output blocks wait for DRAM."""
    describes: ControllerShape


class SramCost(MachineSection):
    node_nanometres: Literal[16, 22]
    """Which rows of the CACTI table (16 or 22)."""
    activation_square_millimetres_per_mebibyte: Positive | None = None
    """Printed area instead of the table's."""
    weight_square_millimetres_per_mebibyte: Positive | None = None
    printed_fill_port_bits: NotNegativeCount = 0
    """Registers of a fill port that a printed area contains; the table's areas contain none."""


class DramCost(MachineSection):
    energy_picojoules_per_bit: Positive


class LogicCost(MachineSection):
    """What logic is made of that a machine has beside the described."""

    volts: Positive
    """Supply of the chip."""
    highest_frequency_megahertz: Positive
    """Clock up to which further pipeline stages are enough."""
    flip_flop_square_micrometres: Positive
    flip_flop_femtojoules_per_cycle: Positive
    """Of a flip-flop that is clocked."""
    flip_flop_leakage_nanowatts: Positive
    multiplexer_square_micrometres: Positive
    """Of a bit of one of two."""
    multiplexer_femtojoules_per_bit: Positive
    """Of a bit that passes."""
    fp32_adder_square_micrometres: Positive
    """Without registers."""
    fp32_adder_picojoules: Positive
    """Of a sum."""


def _or_recorded(schema: dict[str, Any]) -> None:
    """What an editor accepts for cost.pe; load_arch puts the figures in place of the name."""
    section = {"$ref": schema.pop("$ref")}
    schema["anyOf"] = [section, {"const": "rtl"}]


class Cost(MachineSection):
    pe: Annotated[PeCost, Field(json_schema_extra=_or_recorded)]
    """Figures, or `rtl`: those recorded from the synthesis of sim/rtl."""
    bpc: BpcCost | None = None
    quantiser: QuantiserCost | None = None
    plane_fill: PlaneFillCost | None = None
    vector: VectorCost
    controller: ControllerCost
    logic: LogicCost
    sram: SramCost
    dram: DramCost
