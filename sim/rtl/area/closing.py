"""Area and highest clock of every PE in the cells of a node, and whether it reaches the clock of its machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.rtl.area.elements import ELEMENTS, Element
from sim.rtl.area.mapping import LOGIC_SHARES, Mapped, synthesise_for
from sim.rtl.area.opensta import installed, longest_path
from sim.rtl.area.timing import LongestPath, analyse
from sim.rtl.library.table import Library

MICROSECOND = 1e6
"""In picoseconds: the period of a megahertz."""


def closing(
    library: Library, clock: float | None = None, progress: Callable[[str], object] = lambda _: None
) -> dict[str, dict[str, Any]]:
    """What `rtl area --node` prints, by PE; `clock` in megahertz instead of those of the machines.

    Raises
    ------
    InputError
        For a clock that no PE reaches.
    """
    found = {}
    for name, element in ELEMENTS.items():
        progress(f"{name} for {library.name}")
        found[name] = close(library, element, clock)
    refuse_out_of_reach(library, found, clock)
    return found


def refuse_out_of_reach(library: Library, found: dict[str, dict[str, Any]], clock: float | None) -> None:
    """Refuse a clock that was asked for and that no PE reaches."""
    if clock is not None and not any(pe["closes"] for pe in found.values()):
        fastest = max(found, key=lambda name: float(found[name]["highest_megahertz"]))
        facts = {"found": f"{clock:g} MHz", "highest": f"{found[fastest]['highest_megahertz']:g} MHz, by {fastest}"}
        raise InputError(f"no PE reaches this clock in {library.name}", field="--clock", facts=facts)


def _sized(library: Library, element: Element, clock: float) -> tuple[Mapped, LongestPath]:
    """The first netlist that meets the clock, or the fastest of all."""
    best: tuple[Mapped, LongestPath] | None = None
    for share in LOGIC_SHARES:
        netlist = synthesise_for(library.name, element.module, element.parameters, MICROSECOND / clock, share)
        timing = analyse(netlist)
        if best is None or timing.picoseconds < best[1].picoseconds:
            best = netlist, timing
        if timing.megahertz(library) >= clock:
            break
    assert best is not None
    return best


def close(library: Library, element: Element, clock: float | None = None) -> dict[str, Any]:
    """One PE, sized for a clock in megahertz, that of its machine unless told."""
    clock = clock or load_arch(element.machine).clock.frequency_megahertz
    netlist, timing = _sized(library, element, clock)
    reached = timing.megahertz(library)
    return {
        "machine": element.machine,
        "pipeline_cycles": element.pe.mxu.pipeline_cycles,
        "cells": netlist.counts(),
        "square_micrometres": round(netlist.area, 4),
        "gate_equivalents": round(netlist.area / library.gate, 1),
        "flip_flops": netlist.flip_flops,
        "leakage_nanowatts": round(netlist.leakage, 4),
        "longest_path_picoseconds": round(timing.picoseconds, 1),
        "opensta_picoseconds": round(longest_path(netlist), 1) if installed() else None,
        "gates_on_it": timing.gates,
        "highest_megahertz": round(reached, 1),
        "wanted_megahertz": clock,
        "closes": reached >= clock,
    }
