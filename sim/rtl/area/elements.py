"""The PEs that are synthesised, by the machine each is that of; and parts, for the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sim.arch.load import load_arch
from sim.rtl.checks import pe as rtl
from sim.units.processing_element import ProcessingElement, make

GROUP_SIZE = 64


@dataclass(frozen=True)
class Element:
    """The PE of a shipped machine."""

    machine: str

    @cached_property
    def pe(self) -> ProcessingElement:
        return make(load_arch(self.machine))

    @property
    def module(self) -> str:
        return rtl.module(self.pe)

    @property
    def parameters(self) -> Mapping[str, int]:
        weights = {"WeightBits": self.pe.weight_bits} if self.pe.quantised else {}  # the others' are of INT4
        return rtl.parameters(self.pe) | weights


ELEMENTS = {
    "FP-FP": Element("fp-fp"),
    "FP-INT": Element("fp-int"),
    "iFPU": Element("ifpu"),
    "FIGNA": Element("figna"),
    "FIGNA-M11": Element("figna-m11"),
    "FIGNA-M8": Element("figna-m8"),
    "Anda": Element("anda-hpca25"),
    "INT8": Element("int8"),
    "INT8 x INT4": Element("int8-int4"),
}

PARTS: dict[str, tuple[str, Mapping[str, int]]] = {
    "Anda: weight double buffer": ("weight_buffer", {}),
    "Anda: bit-serial dot product": ("anda_dot", {}),
    "Anda: back end": ("scale_accumulate", {"DotBits": 26}),
    "FP-INT: back end": ("scale_accumulate", {"DotBits": 51}),
    "iFPU: back end": ("scale_accumulate", {"DotBits": 24}),
    "FIGNA: back end": ("scale_accumulate", {"DotBits": 24}),
    "FIGNA-M11 of 4 lanes": ("figna_pe", {"MantissaBits": 11}),
    "FIGNA-M11: back end": ("scale_accumulate", {"DotBits": 22}),
    "FIGNA-M8 of 4 lanes": ("figna_pe", {"MantissaBits": 8}),
    "FIGNA-M8: back end": ("scale_accumulate", {"DotBits": 19}),
    "integer of 26 bits to binary32": ("int_to_fp32", {"Width": 26}),
    "binary32 x scale": ("fp32_scale", {}),
    "binary32 adder": ("fp32_add", {}),
    "binary32 to FP16": ("fp32_to_fp16", {}),
    "FP16 multiplier": ("fp16_multiply", {}),
    "INT8: back end": ("token_accumulate", {}),
    "INT8 x INT4: back end": ("token_accumulate", {}),
    "quantiser of 2 lanes": ("quantiser", {"Lanes": 2}),
    "quantiser of 4 lanes": ("quantiser", {"Lanes": 4}),
    "plane fill of 16 weights": ("plane_fill", {"GroupSize": 16}),
    "plane fill of 64 weights": ("plane_fill", {}),
    "quantiser of 8, 4 and 3 bits, 2 lanes": ("quantiser", {"Lanes": 2, "Narrower": 1}),
    "quantiser of 8, 4 and 3 bits, 4 lanes": ("quantiser", {"Lanes": 4, "Narrower": 1}),
    "BPC: lane": ("bpc_lane", {}),
    "BPC: lane with its gather registers": ("bpc", {"Rows": 1, "Lanes": 1}),
}
"""Module and parameters of what is synthesised on its own."""
