"""Measured PEs relative to FP-FP, beside the paper's ratios.

Area a throughput is area x cycles a group; the paper's is the inverse of its area efficiency, which leaves the speed of
FIGNA-M11 and -M8 out (1 / area): their speed is put in here. Likewise its energy efficiency is 1 / power.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from sim.shipped import ROOT

PUBLISHED = "results/published/anda-hpca2025.yaml"
BASELINE = "FP-FP"
ANDA = {"anda-hpca25": "anda"}
"""Machines that the published table calls otherwise."""


@dataclass(frozen=True)
class Ratio:
    """One PE, at one mantissa length where it takes several; None where the paper has no such PE."""

    name: str
    gates: float
    gates_deep: int
    area: float
    paper_area: float | None
    area_throughput: float
    paper_area_throughput: float | None
    energy: float
    paper_energy: float | None


def ratios(measured: dict[str, Any]) -> Iterator[Ratio]:
    """Rows of the table, FP-FP first; energies on the operands of the trace where there are any."""
    published = yaml.safe_load((ROOT / PUBLISHED).read_text())
    elements = measured["processing_elements"]
    base = elements[BASELINE]
    base_cycles = base["cycles_a_group"]["None"]
    for name, element in elements.items():
        for length, cycles in element["cycles_a_group"].items():
            paper = published["pe"]["machines"].get(ANDA.get(element["machine"], element["machine"]))
            area = element["gate_equivalents"] / base["gate_equivalents"]
            yield Ratio(
                name=name if length == "None" else f"{name}, M = {length}",
                gates=element["gate_equivalents"],
                gates_deep=element["gates_deep"],
                area=area,
                paper_area=paper["area"] if paper else None,
                area_throughput=area * cycles / base_cycles,
                paper_area_throughput=paper["area"] * cycles / base_cycles if paper else None,
                energy=energy(element, length) / energy(base, "None"),
                paper_energy=paper["power"] * cycles / base_cycles if paper else None,
            )


def energy(element: dict[str, Any], length: str) -> float:
    """Mean switched capacitance a MAC over the traced modules, or on normal values without a trace."""
    switching = element["switched_a_mac"]
    labels = [label for label in switching if label.startswith("trace")] or ["normal"]
    return float(sum(switching[label][length] for label in labels) / len(labels))
