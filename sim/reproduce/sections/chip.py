"""The machine: its parameters, and area and power of its blocks."""

from __future__ import annotations

from functools import reduce
from typing import Any

from sim.report.vocabulary import label
from sim.reproduce.bench import CaseResults, PaperCase, arch_of
from sim.reproduce.cells import ENERGY, PaperCell, PaperSection, Role, Table, alone
from sim.reproduce.published import Published

SIMULATED_POWER = ("activation_buffer", "weight_buffer")
"""Blocks whose power follows from accesses counted in the run; the other blocks' power went into the cost tables."""


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Areas are inputs, and so is the power of logic; that of the memories is simulated."""
    chip = paper.chip
    [result] = bench([PaperCase("anda-hpca25", chip.model, f"wikitext2-{chip.tolerance}")])
    milliwatts = {
        name: picojoules / result.totals.seconds * 1e-9 for name, picojoules in result.energy.items() if name != "dram"
    }
    areas, powers = [], []
    for name, block in chip.blocks.items():
        areas.append(_input(label(name), "area", result.area[name], block.square_millimetres))
        role = Role.PREDICTED if name in SIMULATED_POWER else Role.INPUT
        powers.append(PaperCell(label(name), "power", milliwatts[name], block.milliwatts, role, ENERGY))
    powers.append(alone("leakage", "power", milliwatts["leakage"]))
    total = chip.printed_total
    areas.append(_input("total", "area", sum(result.area.values()), total.square_millimetres))
    powers.append(PaperCell("total", "power", sum(milliwatts.values()), total.milliwatts, Role.PREDICTED, ENERGY))
    arch = arch_of(paper.machine.arch).model_dump()
    keys = (_input(key, "value", _at(arch, key), printed) for key, printed in paper.machine.keys.items())
    return PaperSection(
        "chip",
        "Area and power",
        (
            Table("area", "area in mm²", tuple(areas), digits=3, corner="block"),
            Table("power", "power in mW", tuple(powers), corner="block", note="DRAM is off the chip."),
            Table("parameters", "as in the arch YAML", tuple(keys), digits=1, corner="key", note=paper.machine.place),
        ),
        place=chip.place,
        note="Leakage of the buffers stands for itself; the paper does not tell it apart.",
    )


def _input(row: str, column: str, simulated: float, paper: float) -> PaperCell:
    return PaperCell(row, column, simulated, paper, Role.INPUT)


def _at(values: dict[str, Any], key: str) -> float:
    return float(reduce(lambda level, name: level[name], key.split("."), values))  # type: ignore[arg-type]
