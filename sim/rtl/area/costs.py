"""Machines whose PEs cost what synthesis says, as YAML files that extend the shipped ones.

    python -m sim.rtl.area.costs      writes arch_configs/rtl/ from results/rtl/area.json

Synthesis gives ratios. FP-FP keeps its published figures; the others have theirs times the ratio of gate equivalents,
and of switched capacitance a cycle on the operands of the recorded trace.
"""

from __future__ import annotations

import json
from typing import Any

from sim.arch.load import load_arch
from sim.rtl.area.elements import GROUP_SIZE
from sim.rtl.area.ratios import BASELINE, energy
from sim.shipped import ROOT

RECORDED = ROOT / "results" / "rtl" / "area.json"
FOLDER = ROOT / "arch_configs" / "rtl"
ANDA_LENGTH = "6"
"""Mantissa length whose energy a cycle stands for Anda's: what LLaMA-13B has at 1 %, as in the published figure."""


def machines(measured: dict[str, Any]) -> dict[str, str]:
    """Text of each file, by machine."""
    elements = measured["processing_elements"]
    base, published = elements[BASELINE], load_arch(elements[BASELINE]["machine"]).cost.pe
    written = {}
    for name, element in elements.items():
        per_cycle = published.energy_picojoules_per_cycle * _switched_a_cycle(element) / _switched_a_cycle(base)
        area = published.area_square_millimetres * element["gate_equivalents"] / base["gate_equivalents"]
        at = f", at M = {ANDA_LENGTH}" if ANDA_LENGTH in element["cycles_a_group"] else ""
        written[element["machine"]] = (
            f"# {name} with its PE's cost from synthesis instead of the paper; written by sim/rtl/area/costs.py.\n"
            f"extends: {element['machine']}\n"
            f"name: {element['machine']}-rtl\n"
            "cost:\n"
            "  pe:\n"
            f"    energy_picojoules_per_cycle: {per_cycle:.6f}\n"
            f"    area_square_millimetres: {area:.9f}\n"
            f'    source: "results/rtl/area.json: relative to FP-FP\'s published figures{at}"\n'
        )
    return written


def _switched_a_cycle(element: dict[str, Any]) -> float:
    length = ANDA_LENGTH if ANDA_LENGTH in element["cycles_a_group"] else "None"
    return energy(element, length) * GROUP_SIZE / float(element["cycles_a_group"][length])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for machine, text in machines(json.loads(RECORDED.read_text())).items():
        (FOLDER / f"{machine}.yaml").write_text(text)
