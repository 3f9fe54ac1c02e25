"""The PEs as they are synthesised: module, parameters, and the machine each is that of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GROUP_SIZE = 64


@dataclass(frozen=True)
class Element:
    """One PE.

    Attributes
    ----------
    machine
        Shipped machine that is made of it.
    parts
        Modules inside, with their parameters, that are synthesised on their own as well.
    """

    machine: str
    module: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[tuple[str, Mapping[str, int]], ...] = ()


ELEMENTS = {
    "FP-FP": Element("fp-fp", "fp_fp_pe"),
    "FP-INT": Element("fp-int", "fp_int_pe", parts=(("scale_accumulate", {"DotBits": 51}),)),
    "iFPU": Element("ifpu", "ifpu_pe", {"MantissaBits": 13}, (("scale_accumulate", {"DotBits": 24}),)),
    "FIGNA": Element("figna", "figna_pe", {"MantissaBits": 13}, (("scale_accumulate", {"DotBits": 24}),)),
    "FIGNA-M11": Element(
        "figna-m11", "figna_pe", {"MantissaBits": 11, "Lanes": 6}, (("scale_accumulate", {"DotBits": 22}),)
    ),
    "FIGNA-M8": Element(
        "figna-m8", "figna_pe", {"MantissaBits": 8, "Lanes": 8}, (("scale_accumulate", {"DotBits": 19}),)
    ),
    "Anda": Element(
        "anda-hpca25",
        "anda_apu",
        parts=(("weight_buffer", {}), ("anda_dot", {}), ("scale_accumulate", {"DotBits": 26})),
    ),
}
