"""The paper's means over its models once more, with banks for DRAM."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults
from sim.reproduce.published import published
from sim.reproduce.systems import energy_ratio, geometric_mean, run_all, speedup, systems
from sim.runs.runs import Runs

HEADS = ("", "speedup, paper", "channel", "banks", "energy efficiency, paper", "channel", "banks", "and standby")


def means(banks: str) -> list[str]:
    """Geometric means over the paper's models, as `sim.py reproduce` has them: speedups by module, energies in all.

    Parameters
    ----------
    banks
        The `dram` section in place of the channel.
    """
    paper = published()
    chosen, models = systems(paper), paper.systems.models
    kinds = ((), (f"dram={banks}",), (f"dram={banks}", "dram.energy=commands"))
    with Runs() as runs:
        bench = CaseResults(runs)
        found = [run_all(bench, chosen, models, arch_overrides=overrides) for overrides in kinds]
    lines = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
    for index, system in enumerate(chosen):
        pairs = [list(zip(results[0], results[index], strict=True)) for results in found]
        faster = [geometric_mean(speedup(base, own, "modules") for base, own in pair) for pair in pairs[:2]]
        less = [geometric_mean(energy_ratio(base, own, "times") for base, own in pair) for pair in pairs]
        printed = paper.systems.machines[system.name]
        values = [printed.speedup, *faster, printed.energy_efficiency, *less]
        lines.append(f"| {system.label} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    return lines
