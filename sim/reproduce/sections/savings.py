"""Bit operations saved by the 54 published precision combinations."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults, PaperCase
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table
from sim.reproduce.published import Published


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Counted in the runs: bit operations of FP-FP over those of Anda."""
    models = paper.precision_combinations.models
    cells = []
    for model, combinations in models.items():
        base, *others = bench(
            [PaperCase("fp-fp", model), *(PaperCase("anda-hpca25", model, name) for name in combinations)]
        )
        for name, own in zip(combinations, others, strict=True):
            saving = base.totals.bit_operations / own.totals.bit_operations
            cells.append(
                PaperCell(model, name.replace("-", " "), saving, combinations[name].bit_operation_saving, Role.INPUT)
            )
    return PaperSection(
        "savings",
        "Bit-operation savings",
        (Table("savings", "bit operations of FP16 over those of Anda", tuple(cells), unit="x", corner="model"),),
        place=paper.precision_combinations.source,
        note="Counted by the runs of the speed and energy figures, a multiply-accumulate of M bits as 4 M: arithmetic "
        "on the paper's mantissa lengths and the models' shapes, which are inputs.",
    )
