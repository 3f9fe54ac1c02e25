"""A precision search on a model: measured, remembered, and written as a precision file, a report and a page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sim.accuracy.perplexity import Evaluator, Format
from sim.errors import InputError, Place
from sim.precision_search.memory import Remembered
from sim.precision_search.search import BitOperations, Visit, best_of, search
from sim.trace.linears import Site
from sim.workload.precision import MODULES

MEMORY, PRECISION, REPORT = "evaluations.json", "precision.yaml", "search.json"


@dataclass(frozen=True)
class Outcome:
    """What a search found."""

    model: str
    tolerance: float
    reference: float
    cost: BitOperations
    visits: list[Visit]
    seconds: float

    @property
    def best(self) -> Visit | None:
        return best_of(self.visits)

    def report(self) -> dict[str, Any]:
        """As it is written to search.json."""
        best = self.best
        return {
            "model": self.model,
            "tolerance": self.tolerance,
            "reference_perplexity": self.reference,
            "macs_a_token": dict(zip(MODULES, self.cost.macs, strict=True)),
            "best": best and self._row(best),
            "evaluations": len(self.visits),
            "seconds": self.seconds,
            "visits": [self._row(visit) for visit in self.visits],
        }

    def _row(self, visit: Visit) -> dict[str, Any]:
        return {
            "precision": list(visit.precision),
            "bit_operations_a_token": visit.bit_operations,
            "saving": self.cost.saving(visit.precision),
            "perplexity": visit.perplexity,
            "relative_loss": visit.perplexity / self.reference - 1,
            "accepted": visit.accepted,
        }


def bit_operations(sites: list[Site], experts_used: float = 1.0) -> BitOperations:
    """Multiply-accumulates a token by module; of experts the share that a token is sent to."""
    macs = dict.fromkeys(MODULES, 0)
    for site in sites:
        if site.kind in macs:
            macs[site.kind] += round(site.k * site.n * (experts_used if site.expert else 1))
    qkv, o, up, down = (macs[module] for module in MODULES)
    return BitOperations((qkv, o, up, down))


def run(
    evaluator: Evaluator, out: Path, tolerance: float, iterations: int, on_visit: Callable[[], None] = lambda: None
) -> Outcome:
    """Search and write to the folder `out`; one that an interrupted search of the same kind left is gone on with.

    Raises
    ------
    InputError
        For a folder with anything else in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()) and not (out / MEMORY).is_file():
        raise InputError("holds something else than a search", place=Place(str(out)), field="--out")

    remembered = Remembered(out / MEMORY, evaluator.fingerprint, lambda lengths: evaluator.perplexity(Format(lengths)))
    begun = time.perf_counter()
    reference = remembered(None)
    cost = bit_operations(evaluator.sites, evaluator.experts_used)
    visits = []
    for visit in search(remembered, (1 + tolerance) * reference, cost, iterations):
        visits.append(visit)
        on_visit()
    outcome = Outcome(evaluator.name, tolerance, reference, cost, visits, time.perf_counter() - begun)
    _write(outcome, out)
    return outcome


def _write(outcome: Outcome, out: Path) -> None:
    (out / REPORT).write_text(json.dumps(outcome.report(), indent=1) + "\n", encoding="utf-8")
    if outcome.best is not None:
        source = (
            f"search on {outcome.model}: relative loss at most {outcome.tolerance}, {len(outcome.visits)} evaluations"
        )
        content = {"precision": list(outcome.best.precision), "source": source}
        (out / PRECISION).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
