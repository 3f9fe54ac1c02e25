"""Area efficiency: speedup over the ratio of areas, with the total area that the paper prints and its rows' sum."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import PaperCell, PaperSection, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import MEANS, geometric_mean, role_of_speed, run_all, speedup, systems

NOTE = "The paper prints a total for Anda only; that of the others is the sum of their blocks."


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Anda's printed total is less than its rows add up to, so both stand here."""
    chosen, models = systems(paper), paper.systems.models
    results = run_all(bench, chosen, models)
    base_area = results[0][0].totals.area_square_millimetres
    printed = paper.chip.printed_total.square_millimetres
    cells, areas = [], []
    for system, row in zip(chosen, results, strict=True):
        own = row[0].totals.area_square_millimetres
        totals = {"printed total": printed, "rows' sum": own} if system.tolerance else {"printed total": own}
        areas += [alone(system.label, total, area) for total, area in totals.items()]
        for total, area in totals.items():
            for mean, name in MEANS.items():
                fast = geometric_mean(speedup(base, one, mean) for base, one in zip(results[0], row, strict=True))
                target = paper.systems.machines[system.name].area_efficiency
                role = role_of_speed(system, chosen[0])
                cells.append(PaperCell(system.label, f"{total}, {name}", fast * base_area / area, target, role))
    return PaperSection(
        "area",
        "Area efficiency",
        (
            Table("means", "area efficiency over FP-FP", tuple(cells), unit="x", picture="bars", note=NOTE),
            Table("areas", "area in mm²", tuple(areas), digits=3),
        ),
        place=paper.systems.place,
        note="Speedup is simulated; areas are sums of the cost tables' blocks, which are inputs.",
    )
