"""How good the precision search is: against trying every tuple, on random accuracy functions and on a model.

The random functions stand for a model's loss: each module adds an error that falls by about half a bit, `monotone`
without exception, `rough` with noise of tens of percent, so that a bit more sometimes hurts.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from records.record import FLOATING, RESULTS, ROOT, Record, Sample, as_read, read, written
from sim.accuracy.perplexity import Evaluator, Format
from sim.precision_search.run import bit_operations
from sim.precision_search.search import BitOperations, Choice, best_of, exhaustive, search
from sim.trace.load import load_weights
from sim.trace.text import tokens_of
from sim.trace.weights import quantise
from sim.workload.precision_rules import four

Function = Callable[[Choice], float]
LIMIT = 0.1
SHARES = BitOperations((3, 1, 4, 4))  # of a model without gate and with an MLP four times as wide as its state


def monotone(rng: random.Random) -> Function:
    """A loss that no additional bit raises."""
    tables = [[rng.uniform(0.2, 5) * 2.0 ** (-bits * rng.uniform(0.9, 1.1)) for bits in range(17)] for _ in range(4)]
    falling = [[max(table[bits:]) for bits in range(17)] for table in tables]
    return lambda tried: sum(table[bits] for table, bits in zip(falling, tried, strict=True))


def rough(rng: random.Random) -> Function:
    """The same with noise."""
    smooth, noise = monotone(rng), dict[Choice, float]()
    return lambda tried: smooth(tried) * noise.setdefault(tried, rng.uniform(0.7, 1.4))


RECORD = RESULTS / "precision_search.json"
MODEL = ROOT / "workloads" / "tiny-llama"
TEXT = MODEL / "validation.txt"
TOKENS, CONTEXT, TOLERANCE = 4096, 256, 0.01
FEW = 32
RANDOM_FUNCTIONS = {
    f"{make.__name__}, {iterations} evaluations at most": (make, iterations)
    for make in (monotone, rough)
    for iterations in (FEW, 10_000)
}


@dataclass(frozen=True)
class SearchTally:
    """Outcomes on random functions.

    Attributes
    ----------
    solved
        Functions on which the search found a tuple that passes, where there is one.
    optimal
        Of those, where it has the fewest bit operations there are.
    excesses
        Bit operations above the fewest, relative, of each solved function.
    evaluations
        Mean of the search.
    """

    functions: int
    solvable: int
    solved: int
    optimal: int
    excesses: list[float]
    evaluations: float

    def report(self) -> dict[str, Any]:
        """As it is written to JSON: of the excesses their mean and the largest."""
        excesses = self.excesses or [0.0]
        summary = {"mean_excess": sum(excesses) / len(excesses), "largest_excess": max(excesses)}
        return {**{key: value for key, value in asdict(self).items() if key != "excesses"}, **summary}


def tally_random(
    make: Callable[[random.Random], Function], seeds: range, lengths: range, iterations: int
) -> SearchTally:
    """Search random functions and try every tuple of `lengths` of each."""
    solvable, evaluations, excesses = 0, 0, []
    for seed in seeds:
        function = make(random.Random(seed))
        visits = list(search(function, LIMIT, SHARES, iterations, lengths.start))
        evaluations += len(visits)
        least, found = best_of(list(exhaustive(function, LIMIT, SHARES, lengths))), best_of(visits)
        solvable += least is not None
        if least is not None and found is not None:
            excesses.append(found.bit_operations / least.bit_operations - 1)
    solved, optimal = len(excesses), sum(excess <= 0 for excess in excesses)
    return SearchTally(len(seeds), solvable, solved, optimal, excesses, evaluations / len(seeds))


def compare_on_model(
    perplexity: Callable[[Choice | None], float], cost: BitOperations, tolerance: float
) -> dict[str, Any]:
    """The search and every tuple of 4..11 in order of cost on one function, each with its time and evaluations."""
    reference = perplexity(None)
    limit = (1 + tolerance) * reference
    report: dict[str, Any] = {"tolerance": tolerance, "reference_perplexity": reference}
    searches = {
        "search": search(perplexity, limit, cost, shortest=4),
        "exhaustive": exhaustive(perplexity, limit, cost, range(4, 12)),
    }
    for name, steps in searches.items():
        begun = time.perf_counter(), time.process_time()
        visits = list(steps)
        best = best_of(visits)
        report[name] = {
            "best": best and list(best.precision),
            "saving": best and cost.saving(best.precision),
            "relative_loss": best and best.perplexity / reference - 1,
            "evaluations": len(visits),
            "seconds": time.perf_counter() - begun[0],
            "processor_seconds": time.process_time() - begun[1],
        }
    return report


class PrecisionSearch(Record):
    name = "precision-search"
    files: ClassVar[tuple[Path, ...]] = (RECORD,)

    def make(self) -> None:
        evaluator, facts = _evaluator()
        perplexity, cost = partial(_perplexity, evaluator), bit_operations(evaluator.sites, evaluator.experts_used)
        report = {
            **facts,
            "on_model": compare_on_model(perplexity, cost, TOLERANCE),
            "on_random_functions": {name: _tally(name) for name in RANDOM_FUNCTIONS},
        }
        RECORD.write_text(written(report), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        recorded = read(RECORD)
        name = random.choice([name for name, (_, iterations) in RANDOM_FUNCTIONS.items() if iterations == FEW])
        yield Sample(name, recorded["on_random_functions"][name], as_read(_tally(name)))
        evaluator, facts = _evaluator()
        yield Sample("the model", {key: recorded[key] for key in facts}, as_read(facts))
        reference = _perplexity(evaluator, None)
        yield Sample("perplexity of the model", recorded["on_model"]["reference_perplexity"], reference, FLOATING)
        best = recorded["on_model"]["search"]["best"]
        perplexity = _perplexity(evaluator, (best[0], best[1], best[2], best[3]))
        recorded_one = reference * (1 + recorded["on_model"]["search"]["relative_loss"])
        yield Sample("perplexity of the best tuple", recorded_one, perplexity, FLOATING)


def _evaluator() -> tuple[Evaluator, dict[str, Any]]:
    """The shipped model on its validation text, and what is recorded of both."""
    loaded = load_weights(MODEL)
    method = quantise(loaded).method
    tokens = tokens_of(MODEL, TEXT)[:TOKENS]
    facts = {"model": loaded.name, "weights": method, "text": TEXT.name, "tokens": len(tokens)}
    return Evaluator(loaded, tokens, CONTEXT, CONTEXT, method), facts


def _perplexity(evaluator: Evaluator, precision: Choice | None) -> float:
    return evaluator.perplexity(Format(four(precision) if precision else None))


def _tally(name: str) -> dict[str, Any]:
    make, iterations = RANDOM_FUNCTIONS[name]
    return tally_random(make, range(200), range(4, 14), iterations).report()
