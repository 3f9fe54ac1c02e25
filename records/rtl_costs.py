"""What the PEs cost as synthesised, for machines that say `cost: {pe: rtl}`.

Synthesis gives ratios. FP-FP keeps its published figures; the others have those times the ratio of gate equivalents,
and of switched capacitance a cycle on the operands of the recorded trace. What grows with a PE's shape is all of it but
its back end, which each PE has for itself; the rest is described as on the machine of the PE.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import yaml

from records.record import Record, Sample, read
from sim.arch.load import load_arch
from sim.arch.recorded_cost import RECORD
from sim.rtl.area.elements import GROUP_SIZE
from sim.rtl.area.ratios import BASELINE, energy

MEASURED = RECORD.with_name("area.json")
ANDA_LENGTH = "6"
"""Mantissa length whose energy a cycle stands for Anda's: what LLaMA-13B has at 1 %, as in the published figure."""
PE_KEYS = ("pe", "lanes", "mantissa_bits", "activation_bits", "dot_length")


def pe_costs(measured: dict[str, Any]) -> str:
    """Text of the record."""
    elements, parts = measured["processing_elements"], measured["parts"]
    base, published = elements[BASELINE], load_arch(elements[BASELINE]["machine"]).cost.pe
    entries = []
    for name, element in elements.items():
        arch = load_arch(element["machine"])
        mxu, shipped = arch.mxu, arch.cost.pe.model_dump(exclude={"source"})
        per_cycle = published.energy_picojoules_per_cycle * _switched_a_cycle(element) / _switched_a_cycle(base)
        area = published.area_square_millimetres * element["gate_equivalents"] / base["gate_equivalents"]
        at = f" at M = {ANDA_LENGTH}" if ANDA_LENGTH in element["cycles_a_group"] else ""
        back_end = parts.get(f"{name}: back end")
        if back_end is not None:
            share = round(1 - back_end["gate_equivalents"] / element["gate_equivalents"], 3)
            shipped["growth"] = {key: share if value else 0.0 for key, value in _plain(shipped["growth"]).items()}
        cost = _plain(shipped) | {
            "energy_picojoules_per_cycle": round(per_cycle, 6),
            "area_square_millimetres": round(area, 9),
            "source": f"results/rtl/area.json: {name}{at}, relative to the published {BASELINE}",
        }
        entries.append({"mxu": {key: getattr(mxu, key) for key in PE_KEYS}, "cost": cost})
    heading = "# Written by `make records`; see docs/microarchitecture.md.\n"
    return heading + yaml.safe_dump(entries, sort_keys=False, width=120)


def _plain(section: dict[str, Any]) -> dict[str, Any]:
    """A section and those in it without their sources, which are of other figures."""
    kept = {key: value for key, value in section.items() if key != "source"}
    return {key: _plain(value) if isinstance(value, dict) else value for key, value in kept.items()}


def _switched_a_cycle(element: dict[str, Any]) -> float:
    length = ANDA_LENGTH if ANDA_LENGTH in element["cycles_a_group"] else "None"
    return energy(element, length) * GROUP_SIZE / float(element["cycles_a_group"][length])


class RtlCosts(Record):
    name = "rtl-costs"
    files: ClassVar[tuple[Path, ...]] = (RECORD,)

    def make(self) -> None:
        RECORD.write_text(pe_costs(read(MEASURED)), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        yield Sample("pe_costs.yaml", RECORD.read_text(encoding="utf-8"), pe_costs(read(MEASURED)))
