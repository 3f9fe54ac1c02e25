"""Energy efficiency of the eight systems, and where the energy of LLaMA-13B goes."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import ENERGY, POINTS, PaperCell, PaperSection, Table
from sim.reproduce.published import Published
from sim.reproduce.systems import DATASETS, MEANS, energy_ratio, geometric_mean, run_all, systems


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Means beside the paper's, each model, the other data sets."""
    chosen, models = systems(paper), paper.systems.models
    results = run_all(bench, chosen, models)
    means = (
        PaperCell(
            system.label,
            name,
            geometric_mean(energy_ratio(base, own, mean) for base, own in zip(results[0], row, strict=True)),
            paper.systems.machines[system.name].energy_efficiency,
            ENERGY,
        )
        for system, row in zip(chosen, results, strict=True)
        for mean, name in MEANS.items()
    )
    by_model = (
        PaperCell(model, system.label, energy_ratio(base, own, "times"), tolerance=None)
        for system, row in zip(chosen, results, strict=True)
        for model, base, own in zip(models, results[0], row, strict=True)
    )
    return PaperSection(
        "energy",
        "Energy efficiency",
        (
            Table("means", "energy efficiency over FP-FP", tuple(means), unit="x", picture="bars"),
            Table("by model", "energy efficiency over FP-FP, totals", tuple(by_model), unit="x", corner="model"),
            Table("by data set", "geometric mean of the energy efficiency", _data_sets(paper, bench), unit="x"),
        ),
        place=paper.systems.place,
        note="With the paper's schedule. Energies of the PEs are inputs; how often they work, and every access to SRAM "
        "and DRAM, is simulated.",
    )


def _data_sets(paper: Published, bench: CaseResults) -> tuple[PaperCell, ...]:
    models, [base_system, *others] = paper.systems.models, systems(paper)
    [base] = run_all(bench, [base_system], models)
    anda = [system for system in others if system.tolerance]
    return tuple(
        PaperCell(
            system.label,
            label,
            geometric_mean(energy_ratio(theirs, mine, "times") for theirs, mine in zip(base, row, strict=True)),
            tolerance=None,
        )
        for dataset, label in DATASETS.items()
        for system, row in zip(anda, run_all(bench, anda, models, dataset=dataset), strict=True)
    )


def breakdown(paper: Published, bench: CaseResults) -> PaperSection:
    """Energy by group in percent of the FP-FP total."""
    model, chosen = paper.energy_breakdown.model, systems(paper)
    results = [row[0] for row in run_all(bench, chosen, [model])]
    whole = results[0].totals.energy_picojoules
    groups = (
        PaperCell(system.label, group, 100 * result.energy_groups[group] / whole, printed, POINTS)
        for system, result in zip(chosen, results, strict=True)
        for group, printed in paper.energy_breakdown.machines[system.name].items()
    )
    components = (
        PaperCell(system.label, component, 100 * energy / whole, tolerance=None)
        for system, result in zip(chosen, results, strict=True)
        for component, energy in result.energy.items()
    )
    title = "% of the FP-FP total"
    return PaperSection(
        "breakdown",
        "Energy breakdown",
        (
            Table("groups", title, tuple(groups), unit="%", digits=1, picture="stacks"),
            Table("components", title, tuple(components), unit="%", digits=2),
        ),
        place=paper.energy_breakdown.place,
        note="With the paper's schedule; the paper rounds to whole percents.",
    )
