"""Where the paper disagrees with itself: a printed number beside what other printed numbers make of it."""

from __future__ import annotations

from sim.report.vocabulary import label
from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import PaperCell, PaperSection, Table
from sim.reproduce.published import Published
from sim.reproduce.systems import LABELS, systems

IMPLIED = "what follows, and what is printed"


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """No simulation: both numbers of a cell are the paper's."""
    return PaperSection(
        "contradictions",
        "Where the paper disagrees with itself",
        (_energy(paper), _memory_power(paper), _memory_share(paper), _totals(paper), _pe(paper), _figna(paper)),
        place="all of the above",
        note="Both numbers of a cell come from the paper: first what other printed numbers imply, then the printed "
        "one. A simulation cannot meet both.",
    )


def _cell(row: str, implied: float, printed: float) -> PaperCell:
    return PaperCell(row, IMPLIED, implied, printed)


def _energy(paper: Published) -> Table:
    parts = {name: sum(groups.values()) for name, groups in paper.energy_breakdown.machines.items()}
    cells = (
        _cell(system.label, parts["fp-fp"] / parts[system.name], paper.systems.machines[system.name].energy_efficiency)
        for system in systems(paper)
    )
    note = (
        "The breakdown of LLaMA-13B implies an energy efficiency; that of the six baselines does not depend on the "
        "model, so it should equal their mean. FIGNA-M11's and FIGNA-M8's do not."
    )
    return Table("energy efficiency", "energy efficiency over FP-FP", tuple(cells), unit="x", note=note)


def _memory_power(paper: Published) -> Table:
    blocks, shares = paper.chip.blocks, paper.energy_breakdown.machines[f"anda-{paper.chip.tolerance}"]
    memory = sum(block.milliwatts for name, block in blocks.items() if name.endswith("buffer"))
    logic = sum(block.milliwatts for name, block in blocks.items() if not name.endswith("buffer"))
    cells = (_cell("SRAM over compute", memory / logic, shares["sram"] / shares["compute"]),)
    note = "The power table and the energy breakdown describe the same run, and the ratio of SRAM to compute differs."
    return Table("SRAM power", "ratio", cells, corner="ratio", note=note)


def _memory_share(paper: Published) -> Table:
    combinations = paper.precision_combinations.models[paper.energy_breakdown.model]
    planes = [1 + 16 / combinations[f"wikitext2-{loss}"].bit_operation_saving for loss in ("0.1%", "1%")]
    shares = [paper.energy_breakdown.machines[f"anda-{loss}"]["sram"] for loss in ("0.1%", "1%")]
    cells = (_cell("0.1 % over 1 %", planes[0] / planes[1], shares[0] / shares[1]),)
    note = (
        "Activation reads go with the planes, M + 1, and M is longer at 0.1 %; the printed SRAM shares are equal. "
        "(Weight reads, which are equal, dampen this.)"
    )
    return Table("SRAM share of Anda", "ratio", cells, corner="ratio", note=note)


def _totals(paper: Published) -> Table:
    total = paper.chip.printed_total
    blocks = paper.chip.blocks.values()
    cells = (
        _cell("area in mm²", sum(block.square_millimetres for block in blocks), total.square_millimetres),
        _cell("power in mW", sum(block.milliwatts for block in blocks), total.milliwatts),
    )
    note = "The printed total area is less than its rows add up to; power adds up."
    return Table("totals of the area and power table", "sum of rows", cells, corner="total", note=note)


def _pe(paper: Published) -> Table:
    machines, lengths = paper.pe.machines, paper.pe_by_mantissa_length
    cells = [
        _cell(LABELS[name], 1 / row.area, row.area_efficiency)
        for name, row in machines.items()
        if row.area_efficiency is not None
    ]
    cells.append(_cell("Anda, times M + 1", 1 / machines["anda"].area, lengths.area_efficiency_times_cycles))
    note = (
        "The efficiency row of the bit-parallel PEs is 1 / area: FIGNA-M11 and FIGNA-M8 get no credit for taking fewer "
        "cycles. Anda's includes its cycles against FP-FP's 16. The system figures include speed for all."
    )
    return Table("PE area efficiency", "1 / area", tuple(cells), unit="x", corner="PE", note=note)


def _figna(paper: Published) -> Table:
    figna = paper.figna_mantissa
    cells = (_cell(label("figna").upper(), figna.counted, figna.stated),)
    note = "Stated as the first, counted in bit operations as the second. The simulated machine has the counted length."
    return Table("mantissa bits of FIGNA", "mantissa bits", cells, digits=0, corner="machine", note=note)
