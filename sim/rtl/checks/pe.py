"""What the RTL of a PE is called: its module, its parameters, and its entry in anda_pkg.sv's list of kinds."""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePosixPath

from sim.errors import InputError
from sim.rtl.checks.build import SOURCES
from sim.units.processing_element import ProcessingElement


def module(pe: ProcessingElement) -> str:
    """The module of a PE, named as its file.

    Raises
    ------
    InputError
        For a kind without RTL.
    """
    if pe.rtl is None:
        raise InputError(f"PEs of kind {pe.kind} have no RTL", field="mxu.pe")
    return PurePosixPath(pe.rtl).stem


def parameters(pe: ProcessingElement) -> dict[str, int]:
    """What its own keys of `mxu` are as parameters of its module: lanes as Lanes, mantissa_bits as MantissaBits."""
    return {_camel(key): getattr(pe.mxu, key) for key in sorted(pe.parameters)}


def number(pe: ProcessingElement) -> int:
    """Its place in pe_kind_e of anda_pkg.sv, which mxu.sv chooses by.

    Raises
    ------
    InputError
        For a kind that mxu.sv does not have.
    """
    kinds = _kinds()
    if _camel(pe.kind) not in kinds:
        raise InputError(
            f"mxu.sv has no PEs of kind {pe.kind}", field="mxu.pe", facts={"allowed": "those of pe_kind_e, anda_pkg.sv"}
        )
    return kinds.index(_camel(pe.kind))


@cache
def _kinds() -> tuple[str, ...]:
    found = re.search(r"enum\s+logic[^{]*\{([^}]*)\}\s*pe_kind_e", (SOURCES / "anda_pkg.sv").read_text())
    assert found is not None
    return tuple(name.strip() for name in found[1].split(","))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
