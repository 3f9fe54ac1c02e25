"""What was measured, as tables of text: for the terminal and for docs/microarchitecture.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sim.rtl.area.ratios import BASELINE, energy, ratios
from sim.rtl.checks.suite import checks
from sim.units.catalogue import unit_label


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left, the others to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def processing_elements(measured: dict[str, Any]) -> str:
    """PEs beside the paper's; relative to FP-FP."""
    headings = ("PE", "gates", "deep", "area", "paper", "x cycles", "paper", "energy a MAC", "paper")
    rows = []
    for row in ratios(measured):
        areas = (row.area, row.paper_area, row.area_throughput, row.paper_area_throughput)
        rows.append(
            (
                row.name,
                f"{row.gates:,.0f}",
                str(row.gates_deep),
                *("-" if figure is None else f"{figure:.3f}" for figure in (*areas, row.energy, row.paper_energy)),
            )
        )
    return aligned(headings, rows)


def clocks(measured: dict[str, Any]) -> str:
    """PEs in the cells of a node; the mark stands where a PE does not reach the clock of its machine."""
    headings = ("PE", "cycles deep", "gates", "um2", "area", "longest path", "OpenSTA", "highest clock", "")
    base = measured[BASELINE]["square_micrometres"]
    rows = [
        (
            name,
            str(pe["pipeline_cycles"]),
            f"{pe['gate_equivalents']:,.0f}",
            f"{pe['square_micrometres']:,.1f}",
            f"{pe['square_micrometres'] / base:.3f}",
            f"{pe['longest_path_picoseconds'] / 1000:.2f} ns",
            f"{pe['opensta_picoseconds'] / 1000:.2f} ns" if pe["opensta_picoseconds"] else "-",
            f"{pe['highest_megahertz']:,.0f} MHz",
            "" if pe["closes"] else f"misses {pe['wanted_megahertz']:g} MHz",
        )
        for name, pe in measured.items()
    ]
    return aligned(headings, rows)


def parts(measured: dict[str, Any]) -> str:
    """What is synthesised on its own."""
    rows = [
        (name, f"{part['gate_equivalents']:,.0f}", str(part["gates_deep"])) for name, part in measured["parts"].items()
    ]
    return aligned(("part", "gates", "deep"), rows)


def front_ends(measured: dict[str, Any]) -> str:
    """Integer PEs of four lanes without their back end, and Anda's dot product, relative to the whole FP-FP PE."""
    gates = {name: element["gate_equivalents"] for name, element in measured["processing_elements"].items()}
    sizes = gates | {name: part["gate_equivalents"] for name, part in measured["parts"].items()}
    fronts = {"FP-INT": "FP-INT", "iFPU": "iFPU", "FIGNA": "FIGNA"}
    fronts |= {name: f"{name} of 4 lanes" for name in ("FIGNA-M11", "FIGNA-M8")}
    left = {name: sizes[whole] - sizes[f"{name}: back end"] for name, whole in fronts.items()}
    left["Anda"] = sizes["Anda: bit-serial dot product"]
    papers = {row.name.split(",")[0]: row.paper_area for row in ratios(measured) if row.paper_area}
    rows = [
        (name, f"{size:,.0f}", f"{size / gates[BASELINE]:.3f}", f"{papers[name]:.3f}",
         f"{size / gates[BASELINE] / papers[name]:.2f}")
        for name, size in left.items()
    ]  # fmt: skip
    return aligned(("PE", "gates", "area", "paper", "ratio of both"), rows)


def operands(measured: dict[str, Any]) -> str:
    """Energy a MAC on each kind of operands, relative to that of FP-FP on the trace."""
    elements = measured["processing_elements"]
    base = energy(elements[BASELINE], "None")
    labels = list(elements[BASELINE]["switched_a_mac"])
    rows = []
    for name, element in elements.items():
        for length in element["cycles_a_group"]:
            shown = name if length == "None" else f"{name}, M = {length}"
            rows.append((shown, *(f"{element['switched_a_mac'][label][length] / base:.3f}" for label in labels)))
    return aligned(("PE", *labels), rows)


def checked(record: dict[str, Any]) -> str:
    """Units that were compared with the simulator, their sizes taken together."""
    rows = []
    for unit, group in groupby(record["checks"], key=lambda check: check["unit"]):
        found = list(group)
        sums = (sum(check[key] for check in found) for key in ("cases", "handshakes", "bits", "differing"))
        rows.append((unit, *(f"{total:,}" for total in sums)))
    return aligned(("unit", "cases", "handshakes", "bits", "cases that differ"), rows)


def simulated_only(record: dict[str, Any]) -> str:
    """Units without RTL."""
    width = max(len(unit_label(unit)) for unit in record["without_rtl"])
    return "\n".join(f"{unit_label(unit):{width}}  {felt}" for unit, felt in record["without_rtl"].items())


def planted(record: dict[str, Any]) -> str:
    """Faults by the kind of check that is to find them, and those that nothing can find."""
    rows = []
    unit_of = {check.name: check.unit for check in checks()}
    found = sorted(record["mutations"], key=lambda fault: unit_of[fault["check"]])
    for unit, group in groupby(found, key=lambda fault: unit_of[fault["check"]]):
        faults = list(group)
        numbers = len(faults), sum(bool(f["seen"]) for f in faults), sum(bool(f["equivalent"]) for f in faults)
        rows.append((unit, *map(str, numbers)))
    return aligned(("check of", "planted", "caught", "without effect"), rows)
