"""Speedup of the eight systems over FP-FP: nine models, three data sets' mantissa lengths."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import PaperCell, PaperSection, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import DATASETS, MEANS, geometric_mean, role_of_speed, run_all, speedup, systems


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Means beside the paper's, then each model, then the other data sets."""
    chosen, models = systems(paper), paper.systems.models
    results = run_all(bench, chosen, models)
    means = (
        PaperCell(
            system.label,
            name,
            geometric_mean(speedup(base, own, mean) for base, own in zip(results[0], row, strict=True)),
            paper.systems.machines[system.name].speedup,
            role_of_speed(system, chosen[0]),
        )
        for system, row in zip(chosen, results, strict=True)
        for mean, name in MEANS.items()
    )
    by_model = (
        alone(model, system.label, speedup(base, own, "times"))
        for system, row in zip(chosen, results, strict=True)
        for model, base, own in zip(models, results[0], row, strict=True)
    )
    return PaperSection(
        "speedup",
        "Speedup",
        (
            Table("means", "speedup over FP-FP", tuple(means), unit="x", picture="bars"),
            Table("by model", "speedup over FP-FP, total times", tuple(by_model), unit="x", corner="model"),
            Table("by data set", "geometric mean of the speedup", _data_sets(paper, bench), unit="x"),
        ),
        place=paper.systems.place,
        note="Geometric means over the models, of each model's ratio of total times and of the mean of its modules' "
        "ratios weighted with multiply-accumulates. The paper's 1 % and 0.1 % figures are the second kind. Lanes of "
        "the bit-parallel PEs were chosen for their printed speeds; mantissa lengths by model and module are inputs.",
    )


def _data_sets(paper: Published, bench: CaseResults) -> tuple[PaperCell, ...]:
    models, [base_system, *others] = paper.systems.models, systems(paper)
    [base] = run_all(bench, [base_system], models)
    cells = []
    for dataset, label in DATASETS.items():
        anda = [system for system in others if system.tolerance]
        for system, row in zip(anda, run_all(bench, anda, models, dataset=dataset), strict=True):
            for mean, name in MEANS.items():
                value = geometric_mean(speedup(theirs, mine, mean) for theirs, mine in zip(base, row, strict=True))
                cells.append(alone(system.label, f"{label}, {name}", value))
    return tuple(cells)
