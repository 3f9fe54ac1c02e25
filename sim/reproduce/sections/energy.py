"""Energy efficiency of the eight systems, and where the energy of LLaMA-13B goes."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import ENERGY, PaperCell, PaperSection, Role, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import DATASETS, MEANS, System, energy_ratio, geometric_mean, run_all, systems

BLOCKS, BLOCKS_MODEL = (16, 32), "llama-13b"


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
            Role.FITTED if system.name != chosen[0].name else Role.INPUT,
            ENERGY,
        )
        for system, row in zip(chosen, results, strict=True)
        for mean, name in MEANS.items()
    )
    by_model = (
        alone(model, system.label, energy_ratio(base, own, "times"))
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
            Table(
                f"by token block, {BLOCKS_MODEL}",
                "energy efficiency of Anda 1 % over FP-FP",
                _blocks(paper, bench),
                unit="x",
                corner="tokens of Anda's blocks",
                note="Columns: tokens of FP-FP's blocks. What was fitted decides.",
            ),
        ),
        place=paper.systems.place,
        note="With the paper's schedule. Energies of the PEs are inputs; how often they work, and every access to SRAM "
        "and DRAM, is simulated. Blocks of 32 tokens on Anda and 16 elsewhere were chosen for DRAM's printed share, on "
        "which all of these ratios hang.",
    )


def _data_sets(paper: Published, bench: CaseResults) -> tuple[PaperCell, ...]:
    models, [base_system, *others] = paper.systems.models, systems(paper)
    [base] = run_all(bench, [base_system], models)
    anda = [system for system in others if system.tolerance]
    return tuple(
        alone(
            system.label,
            label,
            geometric_mean(energy_ratio(theirs, mine, "times") for theirs, mine in zip(base, row, strict=True)),
        )
        for dataset, label in DATASETS.items()
        for system, row in zip(anda, run_all(bench, anda, models, dataset=dataset), strict=True)
    )


def _blocks(paper: Published, bench: CaseResults) -> tuple[PaperCell, ...]:
    """Both machines with each block that one of them has."""
    baseline, *_, anda = systems(paper)
    ways = {str(size): (f"schedule.token_block={size}",) for size in BLOCKS}
    found = {
        (system.name, size): run_all(bench, [system], [BLOCKS_MODEL], arch_overrides=override)[0][0]
        for system in (baseline, anda)
        for size, override in ways.items()
    }
    return tuple(
        alone(mine, theirs, energy_ratio(found[baseline.name, theirs], found[anda.name, mine], "times"))
        for mine in ways
        for theirs in ways
    )


def breakdown(paper: Published, bench: CaseResults) -> PaperSection:
    """Energy by group in percent of the FP-FP total."""
    model, chosen = paper.energy_breakdown.model, systems(paper)
    results = [row[0] for row in run_all(bench, chosen, [model])]
    whole = results[0].totals.energy_picojoules
    groups = (
        PaperCell(system.label, group, 100 * result.energy_groups[group] / whole, printed, _role(system, group), ENERGY)
        for system, result in zip(chosen, results, strict=True)
        for group, printed in paper.energy_breakdown.machines[system.name].items()
    )
    components = (
        alone(system.label, component, 100 * energy / whole)
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
        note="With the paper's schedule; the paper rounds to whole percents. DRAM's share is what token blocks were "
        "chosen for. Of the others' compute lanes and energies are chosen and put in; Anda's hangs on its cycles.",
    )


def _role(system: System, group: str) -> Role:
    """SRAM is CACTI's energies times simulated accesses; of compute only Anda's cycles are nobody's choice."""
    if group == "sram" or (group == "compute" and system.tolerance):
        return Role.PREDICTED
    return Role.FITTED
