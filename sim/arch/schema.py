"""What a machine is: the keys of an arch YAML, with units in their names and their limits beside them.

Every section may carry `source` (text, or a text for each key), which the report prints and nothing computes with.
Wherever a number stands an expression over other keys may stand instead; see sim/arch/resolve.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Discriminator, Field, PrivateAttr, SerializeAsAny, Tag, WrapValidator

from sim.arch.cost import Cost
from sim.arch.dram import DramConfig, every_kind, of_its_kind
from sim.arch.section import Count, MachineSection, Positive
from sim.errors import InputError
from sim.source import Source


class Clock(MachineSection):
    frequency_megahertz: Positive
    """Frequency of the one clock domain."""

    @property
    def hertz(self) -> Fraction:
        return Fraction(str(self.frequency_megahertz)) * 10**6


class MxuConfig(MachineSection):
    """The matrix unit: rows take tokens, columns take outputs, a PE takes `dot_length` values of K at a time."""

    pe: str
    """Kind of the processing element; `sim.py list` shows the kinds."""
    count: Count = 1
    """MXUs that share the buffers, vector unit, writer, controller and DRAM. Each has its PEs, ports, collector and
    compressor. They split the outputs, and activations are broadcast to all of them, unless `schedule.split` says
    otherwise."""
    rows: Count
    columns: Count
    dot_length: Annotated[int, Field(ge=16, le=128, multiple_of=16)] = 64
    """Values of K in a group: one shared exponent, one exact integer dot product."""
    lanes: Count | None = None
    """Values of K a bit-parallel PE takes a cycle; bit-serial kinds have none."""
    mantissa_bits: Annotated[int, Field(ge=1, le=16)] | None = None
    """Mantissa bits of kinds that align activations before multiplying (iFPU, FIGNA)."""
    activation_bits: Literal[4, 8] | None = None
    """Bits of an activation in integer kinds, which take them with a scale a token."""
    conversion: Literal["fp32", "fp16"] = "fp32"
    """What the exact integer sum of a group is rounded to before its scale, in kinds that align activations. FP16
    overflows to Inf. It changes values, no time and no cost."""
    output_registers: Annotated[int, Field(ge=1)] = 2
    """Accumulator sets a PE has; with two, one drains while the other accumulates."""
    pipeline_cycles: Annotated[int, Field(ge=0)]
    """From the last value of a dot product entering a PE to its sum standing in the output register."""


class BufferConfig(MachineSection):
    bytes: Count
    banks: Count = 1
    """SRAM macros; energy and area are those of one macro of bytes / banks."""
    fill_port_bits: Annotated[int, Field(ge=8, multiple_of=8)]
    """Width of the write side that DRAM data enters by; reads have the dispatcher's port."""
    double_buffered: bool = True
    """Whether the next block's chunks may enter as chunks of the present one are released."""


class ActivationBufferConfig(BufferConfig):
    exponent_bytes: Annotated[int, Field(ge=0)] = 0
    """Memory of the shared exponents; 0 on machines that keep FP16."""


class Buffers(MachineSection):
    activation: ActivationBufferConfig
    weight: BufferConfig


class WeightDispatcherConfig(MachineSection):
    port_bits: Annotated[int, Field(ge=64, multiple_of=64)]
    """Weights into each MXU a cycle."""
    fills_planes: bool = False
    """Whether weights in nested planes of which only some are read can be filled up on their way to the PEs."""


class ActivationDispatcherConfig(MachineSection):
    port_bits: Annotated[int, Field(ge=64, multiple_of=64)]
    """Activations to all rows a cycle."""
    exponent_port_bits: Annotated[int, Field(ge=5)] | None = None
    """Shared exponents to all rows a cycle; only with an Anda-format PE."""
    streams: Count = 1
    """Different activations that MXUs may take at a time, each through ports as wide as these and out of a bank of its
    own. With several, each MXU selects one of them, and weights of its own or of a neighbour."""


class CollectorConfig(MachineSection):
    port_bits: Annotated[int, Field(ge=64, multiple_of=64)]
    """FP16 outputs an MXU hands on a cycle."""
    reduction_cycles: Count | None = None
    """Cycles of a level of the tree that adds FP32 sums of MXUs which split K; none: there is no tree."""


class BpcConfig(MachineSection):
    lanes: Count
    """Groups that the compressor of an MXU takes at a time."""
    group_size: Annotated[int, Field(ge=16, le=128, multiple_of=16)] = 64
    """Values in a lane: the group size of the encoded output."""


class QuantiserConfig(MachineSection):
    lanes: Count
    """FP16 values a cycle, in each of two passes over a token."""


class VectorConfig(MachineSection):
    fpus: Count
    """FP16 operations (or multiply-accumulates) a cycle, of the whole machine."""


class WriterConfig(MachineSection):
    blocks: Count
    """Output blocks that may wait for DRAM."""


class ControllerConfig(MachineSection):
    launch_cycles: Count
    """From the start of a GeMM to the first load request."""


class Split(MachineSection):
    """MXUs that split the tokens of a tile, its outputs, and the groups of K; their product works, others idle."""

    tokens: Count = 1
    outputs: Count = 1
    k: Count = 1

    @property
    def mxus(self) -> int:
        return self.tokens * self.outputs * self.k

    @property
    def streams(self) -> int:
        """Different activations that they take at a time."""
        return self.tokens * self.k


class Uses(MachineSection):
    """How much a schedule uses of what a machine has; none: all of it."""

    output_registers: Count | None = None
    activation_bytes: Count | None = None
    exponent_bytes: Count | None = None
    activation_fill_port_bits: Count | None = None
    weight_bytes: Count | None = None
    weight_fill_port_bits: Count | None = None
    weight_port_bits: Count | None = None
    activation_port_bits: Count | None = None
    exponent_port_bits: Count | None = None
    collector_port_bits: Count | None = None
    bpc_lanes: Count | None = None
    writer_blocks: Count | None = None
    outstanding_loads: Count | None = None


class Schedule(MachineSection):
    """How a GeMM is cut: blocks of tokens and outputs, chunks of K, and which blocks the outer loop runs over."""

    token_block: Count
    output_block: Count
    """Outputs of a block; a run of column tiles that fills compressor groups at least."""
    k_block: Count
    """Values of K loaded and released together."""
    order: Literal["tokens_outer", "outputs_outer"] = "tokens_outer"
    """tokens_outer keeps activations and streams weights once a token block; outputs_outer the other way round."""
    split: Split | None = None
    """What the MXUs split; none: the outputs, over all of them."""
    uses: Uses | None = None
    """What a run may see of the machine; none: all that it can fill. A larger machine then runs it as a smaller one."""


class Named(MachineSection):
    name: Annotated[str, Field(min_length=1)]


class Hardware(MachineSection):
    """All of a machine that its units can see."""

    clock: Clock
    mxu: MxuConfig
    buffers: Buffers
    weight_dispatcher: WeightDispatcherConfig
    activation_dispatcher: ActivationDispatcherConfig
    collector: CollectorConfig
    bpc: BpcConfig | None = None
    quantiser: QuantiserConfig | None = None
    vector: VectorConfig
    writer: WriterConfig
    controller: ControllerConfig
    dram: Annotated[SerializeAsAny[DramConfig], WrapValidator(of_its_kind), Field(json_schema_extra=every_kind)]
    _source: Source | None = PrivateAttr(default=None)

    @property
    def tile_columns(self) -> int:
        """Outputs of a tile where all MXUs share its tokens."""
        return self.mxu.columns * self.mxu.count

    @property
    def run_width(self) -> int:
        """Outputs of a run of column tiles: whole tiles, and whole groups of the next GeMM's input."""
        return self.run_of(self.split_of(None))

    def split_of(self, schedule: Schedule | None) -> Split:
        """What the MXUs split."""
        split = schedule.split if schedule is not None else None
        return split or Split(outputs=self.mxu.count)

    def run_of(self, split: Split) -> int:
        """Outputs of a run of column tiles of MXUs split so."""
        return math.lcm(self.mxu.dot_length, self.mxu.columns * split.outputs)

    @property
    def expressions(self) -> Mapping[tuple[str | int, ...], str]:
        """Expressions that gave values of this machine, by path."""
        return self._source.expressions if self._source else {}

    def refuse(self, field: str, problem: str, *, nearest: str | None = None, **facts: object) -> InputError:
        """An error at one key of this machine, with the file and line where the key was written."""
        path = tuple(field.split("."))
        place, how = (self._source.place(path), self._source.facts(path)) if self._source else (None, {})
        return InputError(problem, place=place, field=field, nearest=nearest, facts=how | facts)


Objective = Literal["best", "best-cycles", "best-dram-bytes", "best-energy", "best-energy-delay"]
"""What a schedule is searched for."""


class Arch(Hardware, Named):
    """A machine."""

    schedule: Annotated[
        Annotated[Schedule, Tag("blocks")] | Annotated[Objective, Tag("best")],
        Discriminator(lambda value: "best" if isinstance(value, str) else "blocks"),
    ]
    """Blocks, or what they are searched for, for each GeMM: see sim/runs/objectives.py."""
    cost: Cost
