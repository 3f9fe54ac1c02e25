"""Beyond the paper: what each system gains from the best schedule that the simulator finds."""

from __future__ import annotations

from sim.reproduce.bench import Bench
from sim.reproduce.cells import Section, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import energy_ratio, run_all, speedup, systems

MODEL = "llama-13b"
BEST = ("schedule=best",)


def section(paper: Published, bench: Bench) -> Section:
    """The paper's schedule beside the best one."""
    chosen = systems(paper)
    printed = [row[0] for row in run_all(bench, chosen, [MODEL])]
    best = [row[0] for row in run_all(bench, chosen, [MODEL], arch_overrides=BEST)]
    schedules = {"paper's schedule": printed, "best schedule": best}
    whole = {name: rows[0]["totals"]["energy_picojoules"] for name, rows in schedules.items()}
    moved, ratios, groups, gains = [], [], [], []
    for name, rows in schedules.items():
        for system, own in zip(chosen, rows, strict=True):
            moved.append(alone(system.label, name, own["totals"]["dram_bytes"] * 1e-9))
            ratios.append(alone(system.label, f"{name}, speed", speedup(rows[0], own, "times")))
            ratios.append(alone(system.label, f"{name}, energy", energy_ratio(rows[0], own, "times")))
            if rows is best:
                groups += [
                    alone(system.label, group, 100 * energy / whole[name])
                    for group, energy in own["energy_groups"].items()
                ]
    for system, before, after in zip(chosen, printed, best, strict=True):
        gains.append(alone(system.label, "time", speedup(before, after, "times")))
        gains.append(alone(system.label, "energy", energy_ratio(before, after, "times")))
        gains.append(alone(system.label, "DRAM", before["totals"]["dram_bytes"] / after["totals"]["dram_bytes"]))
    return Section(
        "schedule",
        "The best schedule",
        (
            Table("gain", "paper's schedule over best schedule", tuple(gains), unit="x", picture="bars"),
            Table("DRAM", "DRAM traffic in GB", tuple(moved)),
            Table("relative to FP-FP", "over FP-FP with the same kind of schedule", tuple(ratios), unit="x"),
            Table("energy", "% of the FP-FP total, best schedule", tuple(groups), unit="%", digits=1, picture="stacks"),
        ),
        note=f"{MODEL}. Each GeMM of each machine has its own best schedule: fewest cycles, then fewest DRAM bytes.",
    )
