"""Processing elements: cycles and efficiencies by mantissa length, and the comparison table, which is all input."""

from __future__ import annotations

from sim.arch.schema import Arch
from sim.reproduce.bench import CaseResults, PaperCase, arch_of
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table
from sim.reproduce.published import Published
from sim.reproduce.systems import LABELS
from sim.result import Result

MODEL = "llama-13b"
ANDA, BASE = "anda-hpca25", "fp-fp"


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Cycles come out of a run; areas and energies of a PE went into the cost tables."""
    lengths = paper.pe_by_mantissa_length.mantissa_bits
    base, *others = bench([PaperCase(BASE, MODEL), *(PaperCase(ANDA, MODEL, str(bits)) for bits in lengths)])
    by_length = dict(zip(lengths, others, strict=True))
    return PaperSection(
        "pe",
        "Processing elements",
        (_cycles(by_length), _efficiencies(paper, base, by_length), _table(paper)),
        place=f"{paper.pe_by_mantissa_length.place}; {paper.pe.place}",
        note="Cycles are counted in a run. PE areas and energies are inputs of the cost tables: their cells show that "
        "nothing was lost on the way and match by construction.",
    )


def _cycles(by_length: dict[int, Result]) -> Table:
    cells = (
        PaperCell("Anda", str(bits), _cycles_a_group(arch_of(ANDA), result), float(bits + 1), Role.INPUT)
        for bits, result in by_length.items()
    )
    note = "The paper prints no cycles: its labels are proportional to 1 / (M + 1), and M + 1 is what went in."
    return Table(
        "cycles a group", "cycles a PE takes for 64 values", tuple(cells), unit="", picture="lines",
        corner="PE", note=note, x_title="mantissa bits",
    )  # fmt: skip


def _cycles_a_group(arch: Arch, result: Result) -> float:
    mxu = arch.mxu
    groups = result.totals.macs / (mxu.rows * mxu.columns * mxu.dot_length)
    return result.units["mxu"].busy_cycles / groups


def _efficiencies(paper: Published, base: Result, by_length: dict[int, Result]) -> Table:
    labels, cost, base_cost = paper.pe_by_mantissa_length, arch_of(ANDA).cost.pe, arch_of(BASE).cost.pe
    areas = base_cost.area_square_millimetres / cost.area_square_millimetres
    cells = []
    for bits, own in by_length.items():
        area = areas * _cycles_a_group(arch_of(BASE), base) / _cycles_a_group(arch_of(ANDA), own)
        energy = base.energy["mxu"] / own.energy["mxu"]
        printed_area = labels.area_efficiency_times_cycles / (bits + 1)
        printed_energy = labels.energy_efficiency_times_cycles / (bits + 1)
        cells += [
            PaperCell("area efficiency", str(bits), area, printed_area, Role.INPUT),
            PaperCell("energy efficiency", str(bits), energy, printed_energy, Role.INPUT),
        ]
    return Table(
        "efficiency by mantissa length",
        "relative to FP-FP",
        tuple(cells),
        unit="x",
        picture="lines",
        corner="Anda PE",
        x_title="mantissa bits",
    )


def _table(paper: Published) -> Table:
    cells = []
    for name, row in paper.pe.machines.items():
        arch = arch_of(ANDA if name == "anda" else name)
        area, power = _area(arch) / _area(arch_of(BASE)), _power(arch) / _power(arch_of(BASE))
        own = {"area": area, "power": power, "area_efficiency": 1 / area, "energy_efficiency": 1 / power}
        cells += [
            PaperCell(LABELS[arch.name], column.replace("_", " "), own[column], printed, Role.INPUT)
            for column, printed in row.model_dump(exclude_none=True).items()
        ]
    note = "Power at equal throughput; of Anda, a cycle. Efficiencies are 1 / area and 1 / power."
    return Table("comparison", "relative to FP-FP", tuple(cells), corner="PE", note=note)


def _area(arch: Arch) -> float:
    return arch.cost.pe.area_square_millimetres


def _power(arch: Arch) -> float:
    """Energy a cycle; of a bit-parallel PE for as many lanes as the baseline's."""
    lanes = arch.mxu.lanes
    share = 1.0 if lanes is None else (arch_of(BASE).mxu.lanes or 1) / lanes
    return arch.cost.pe.energy_picojoules_per_cycle * share
