"""Beyond the paper: decode and mixed batches, and models that the paper does not run."""

from __future__ import annotations

from typing import Any

from sim.reproduce.bench import CaseResults, PaperCase
from sim.reproduce.cells import PaperSection, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import LABELS, energy_ratio, run_all, speedup, systems

MODEL = "llama-13b"
PHASES: dict[str, dict[str, Any]] = {
    "prefill 2048": {"phase": "prefill", "tokens": 2048},
    "decode, batch 1": {"phase": "decode", "context": 2048, "batch": 1},
    "decode, batch 16": {"phase": "decode", "context": 2048, "batch": 16},
    "decode, batch 64": {"phase": "decode", "context": 2048, "batch": 64},
    "mixed": {"phase": "mixed", "tokens": 2048, "chunk": 256, "context": 2048, "batch": 16},
}
MODELS = ("llama2-70b", "llama3-8b", "llama3-70b", "mixtral-8x7b")
LENGTHS = (6, 8)


def phases(paper: Published, bench: CaseResults) -> PaperSection:
    """The eight systems in the phases of inference."""
    chosen = systems(paper)
    fast, frugal, used = [], [], []
    for phase, options in PHASES.items():
        rows = run_all(bench, chosen, [MODEL], options=tuple(options.items()))
        base = rows[0][0]
        for system, [own] in zip(chosen, rows, strict=True):
            fast.append(alone(system.label, phase, speedup(base, own, "times")))
            frugal.append(alone(system.label, phase, energy_ratio(base, own, "times")))
            used.append(alone(system.label, phase, 100 * own.totals.utilisation))
    return PaperSection(
        "phases",
        "Decode and mixed batches",
        (
            Table("speedup", "speedup over FP-FP", tuple(fast), unit="x", picture="bars"),
            Table("energy", "energy efficiency over FP-FP", tuple(frugal), unit="x"),
            Table("utilisation", "useful share of the multipliers' time", tuple(used), unit="%", digits=1),
        ),
        note=f"{MODEL}, weight GeMMs. Mixed: a prompt in chunks of 256 tokens beside 16 decoding sequences. "
        "A decode step has a row a sequence: below 16 some rows of the MXU have no token.",
    )


def models(paper: Published, bench: CaseResults) -> PaperSection:
    """Newer models, with mantissa lengths that are assumed, not searched."""
    machines = {
        **{LABELS[name]: (name, "fp16") for name in ("fp-fp", "figna", "figna-m11", "figna-m8")},
        **{f"Anda, M = {bits}": ("anda-hpca25", str(bits)) for bits in LENGTHS},
    }
    fast, frugal = [], []
    for model in MODELS:
        for phase in ("prefill 2048", "decode, batch 16"):
            row = f"{model}, {phase}"
            options = tuple(PHASES[phase].items())
            results = bench([PaperCase(arch, model, bits, options=options) for arch, bits in machines.values()])
            for name, own in zip(machines, results, strict=True):
                fast.append(alone(row, name, speedup(results[0], own, "times")))
                frugal.append(alone(row, name, energy_ratio(results[0], own, "times")))
    return PaperSection(
        "models",
        "Models that the paper does not run",
        (
            Table("speedup", "speedup over FP-FP", tuple(fast), unit="x", corner="model and phase"),
            Table("energy", "energy efficiency over FP-FP", tuple(frugal), unit="x", corner="model and phase"),
        ),
        note="Weight GeMMs. No mantissa lengths are published for these models: M is assumed, the same in all modules.",
    )
