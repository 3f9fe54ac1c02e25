"""An array small or large, as a machine of the simulator and as parameters of its RTL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from sim.arch.load import load_arch
from sim.arch.schema import Arch, BufferConfig, Buffers, Schedule
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.operands import ceil_div
from sim.rtl.checks import pe as rtl
from sim.rtl.checks.build import Design, StreamPort
from sim.units.processing_element import ProcessingElement, make

AnyBuffer = TypeVar("AnyBuffer", bound=BufferConfig)
OP_FIELDS = {
    "run_closes": 1,
    "run_opens": 1,
    "takes_activations": 1,
    "closes_tile": 1,
    "opens_tile": 1,
    "groups": 16,
    "columns": 8,
    "rows": 8,
}
"""op_t of anda_pkg.sv, least significant field first."""
SMALLER = 4
"""Rows and columns of a shipped machine over those that are compiled to run whole GeMMs."""
CONFIG = ("mantissa_bits_i", "digits_i", "digit_bits_i", "scale_groups_i")
"""What an array is told once for a whole GeMM."""


@dataclass(frozen=True)
class Shape:
    """What is compiled into an array.

    Attributes
    ----------
    machine
        Shipped machine whose kind of PE, lanes and pipeline depth these are.
    weight_bits
        Of a PE's multipliers: `code_bits` for symmetric weights, one more where zero points are taken off.
    compressor_lanes
        0 for an array without a compressor.
    pipeline_cycles
        Instead of the machine's own, for the simulator only.
    code_bits
        Of a weight, or of a digit of one, at the weight port.
    activation_bits, lanes
        Instead of the machine's own.
    """

    machine: str
    rows: int
    columns: int
    group_size: int = 64
    weight_bits: int = 4
    weight_port: int = 1024
    activation_port: int = 1024
    exponent_port: int = 80
    collector_port: int = 1024
    registers: int = 2
    compressor_lanes: int = 0
    pipeline_cycles: int | None = None
    code_bits: int = 4
    activation_bits: int | None = None
    lanes: int | None = None

    @classmethod
    def small(cls, machine: str, *, compressed: bool = False) -> Shape:
        """One MXU of a shipped machine, a quarter of its rows and columns, with ports as the machine gives it then.

        Its PEs are as deep as those of the RTL, whatever its clock.
        """
        whole = load_arch(machine)
        rows, columns = max(1, whole.mxu.rows // SMALLER), max(1, whole.mxu.columns // SMALLER)
        overrides = ["mxu.count=1", f"mxu.rows={rows}", f"mxu.columns={columns}"]
        lanes = max(1, whole.bpc.lanes // SMALLER) if whole.bpc else 0
        if lanes:
            overrides.append(f"bpc.lanes={lanes}")
        arch = load_arch(machine, overrides)
        bits = make(arch).weight_bits
        return cls(
            machine,
            rows,
            columns,
            arch.mxu.dot_length,
            bits,
            arch.weight_dispatcher.port_bits,
            arch.activation_dispatcher.port_bits,
            arch.activation_dispatcher.exponent_port_bits or 0,
            arch.collector.port_bits,
            arch.mxu.output_registers,
            lanes if compressed else 0,
            arch.cost.pe.describes.pipeline_cycles,
            code_bits=bits,
        )

    @cached_property
    def encoded(self) -> bool:
        return make(load_arch(self.machine)).encoded

    @cached_property
    def arch(self) -> Arch:
        """The machine with an array of this shape."""
        overrides = [
            "mxu.count=1",
            f"mxu.rows={self.rows}",
            f"mxu.columns={self.columns}",
            f"mxu.dot_length={self.group_size}",
            f"mxu.output_registers={self.registers}",
            f"weight_dispatcher.port_bits={self.weight_port}",
            f"activation_dispatcher.port_bits={self.activation_port}",
            f"collector.port_bits={self.collector_port}",
        ]
        for key in ("pipeline_cycles", "activation_bits", "lanes"):
            if getattr(self, key) is not None:
                overrides.append(f"mxu.{key}={getattr(self, key)}")
        if self.encoded:
            overrides += [
                f"activation_dispatcher.exponent_port_bits={self.exponent_port}",
                f"bpc.group_size={self.group_size}",
                f"bpc.lanes={self.compressor_lanes or self.rows}",
            ]
        return load_arch(self.machine, overrides)

    def cut(self, schedule: Schedule, activation_bytes: int, weight_bytes: int) -> Arch:
        """The machine with another schedule and other buffers."""
        buffers = self.arch.buffers
        sized = Buffers(
            activation=_sized(buffers.activation, activation_bytes), weight=_sized(buffers.weight, weight_bytes)
        )
        return self.arch.model_copy(update={"schedule": schedule, "buffers": sized})

    @cached_property
    def pe(self) -> ProcessingElement:
        return make(self.arch)

    @property
    def exponent_beat_bits(self) -> int:
        """Width of what stands beside a beat of activations; one beat's worth where the machine has no such port."""
        return self.exponent_port if self.encoded else self.rows * self.side_bits

    @property
    def side_bits(self) -> int:
        """Of a row, beside a word: the exponent of a group, or the scale of a token."""
        return self.pe.token_scale_bits or EXPONENT_BITS

    def design(self) -> Design:
        """Module, parameters and ports."""
        parameters: dict[str, int | str] = {
            "Rows": self.rows,
            "Columns": self.columns,
            "GroupSize": self.group_size,
            "WeightBits": self.weight_bits,
            "CodeBits": self.code_bits,
            "WeightPortBits": self.weight_port,
            "ActivationPortBits": self.activation_port,
            "ExponentPortBits": self.exponent_beat_bits,
            "CollectorPortBits": self.collector_port,
            "Registers": self.registers,
        }
        sources = (
            StreamPort("op", {"op_i": sum(OP_FIELDS.values())}),
            StreamPort(
                "weight",
                {
                    "weight_codes_i": self.weight_port,
                    "weight_scales_i": self.columns * 16,
                    "weight_zeros_i": self.columns * self.code_bits,
                },
            ),
            StreamPort("chunk", {}),
            StreamPort(
                "activation",
                {"activation_i": self.activation_port, "activation_exponents_i": self.exponent_beat_bits},
            ),
        )
        group = StreamPort("group", {}, valid="group_starts_o", probe=True)
        word = StreamPort("word", {"working_o": self.rows * self.columns}, valid="word_fires_o", probe=True)
        if self.compressor_lanes:
            return Design(
                "anda_core",
                parameters | {"BpcLanes": self.compressor_lanes},
                (*sources, StreamPort("slot", {})),
                (
                    group,
                    word,
                    StreamPort("output", {"output_o": self.collector_port}, valid="output_fires_o", probe=True),
                    StreamPort("handover", {}, valid="handover_o", probe=True),
                    StreamPort(
                        "row",
                        {
                            "row_o": self.compressor_lanes * self.group_size,
                            "row_exponents_o": self.compressor_lanes * EXPONENT_BITS,
                            "sign_row_o": 1,
                        },
                    ),
                ),
                (*CONFIG, "output_mantissa_bits_i"),
            )
        parameters |= {"Kind": f"3'd{rtl.number(self.pe)}", **rtl.parameters(self.pe)}
        return Design(
            "matrix_unit",
            parameters,
            (*sources, StreamPort("grant", {})),
            (
                group,
                word,
                StreamPort("output", {"output_o": self.collector_port, "output_last_o": 1, "output_run_last_o": 1}),
            ),
            CONFIG,
        )

    def weight_beats(self, columns: int) -> int:
        return ceil_div(columns * self.group_size * self.code_bits, self.weight_port)

    def output_beats(self, rows: int) -> int:
        return ceil_div(rows * self.columns * 16, self.collector_port)


def _sized(buffer: AnyBuffer, size: int) -> AnyBuffer:
    """A buffer of so many bytes, filled up to whole banks."""
    return buffer.model_copy(update={"bytes": size + -size % buffer.banks})
