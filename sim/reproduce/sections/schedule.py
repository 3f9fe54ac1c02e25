"""Beyond the paper: what each system gains from the best schedule that the simulator finds."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import PaperCell, PaperSection, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import energy_ratio, run_all, speedup, systems
from sim.result import Result

BEST = ("schedule=best",)
MODELS = ("opt-6.7b", "llama-13b", "opt-30b")


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """The paper's schedule beside the best one."""
    chosen, shown = systems(paper), paper.energy_breakdown.model
    printed = run_all(bench, chosen, MODELS)
    best = run_all(bench, chosen, MODELS, arch_overrides=BEST)
    which = MODELS.index(shown)
    before, after = [row[which] for row in printed], [row[which] for row in best]
    labels = [system.label for system in chosen]
    return PaperSection(
        "schedule",
        "The best schedule",
        (
            Table("energy efficiency", "over FP-FP with its schedule", _efficiencies(labels, printed, best),
                  unit="x", picture="bars"),
            Table(f"gain on {shown}", "paper's schedule over best schedule", _gains(labels, before, after),
                  unit="x", picture="bars"),
            Table(f"energy of {shown}", "% of the FP-FP total, best schedule", _groups(labels, after),
                  unit="%", digits=1, picture="stacks"),
            Table(f"DRAM traffic of {shown}", "GB", _traffic(labels, before, after)),
        ),
        note="Each GeMM of each machine has its own best schedule: fewest cycles, then fewest DRAM bytes. Operands are "
        "read once for as much of the other as fits, so DRAM matters less and the PEs more.",
    )  # fmt: skip


def _efficiencies(labels: list[str], printed: list[list[Result]], best: list[list[Result]]) -> tuple[PaperCell, ...]:
    return tuple(
        alone(label, f"{model}, {name}", energy_ratio(rows[0][index], row[index], "times"))
        for index, model in enumerate(MODELS)
        for name, rows in (("paper's schedule", printed), ("best schedule", best))
        for label, row in zip(labels, rows, strict=True)
    )


def _gains(labels: list[str], before: list[Result], after: list[Result]) -> tuple[PaperCell, ...]:
    cells = []
    for label, old, new in zip(labels, before, after, strict=True):
        cells += [
            alone(label, "time", speedup(old, new, "times")),
            alone(label, "energy", energy_ratio(old, new, "times")),
            alone(label, "DRAM", old.totals.dram_bytes / new.totals.dram_bytes),
        ]
    return tuple(cells)


def _groups(labels: list[str], results: list[Result]) -> tuple[PaperCell, ...]:
    whole = results[0].totals.energy_picojoules
    return tuple(
        alone(label, group, 100 * energy / whole)
        for label, result in zip(labels, results, strict=True)
        for group, energy in result.energy_groups.items()
    )


def _traffic(labels: list[str], before: list[Result], after: list[Result]) -> tuple[PaperCell, ...]:
    return tuple(
        alone(label, name, result.totals.dram_bytes * 1e-9)
        for name, results in (("paper's schedule", before), ("best schedule", after))
        for label, result in zip(labels, results, strict=True)
    )
