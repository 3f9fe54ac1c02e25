"""A precision search on a model: measured, remembered, and written as a precision file, a report and a page."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from sim.accuracy.attention_format import AttentionShape
from sim.accuracy.loss import CONFIDENCE, quantile
from sim.accuracy.perplexity import FP16, Evaluator, Format
from sim.errors import InputError, Place
from sim.precision_search.memory import MEMORY, REFERENCE, Evaluation, Remembered
from sim.precision_search.search import BitOperations, Choice, Visit, best_of, parts, search
from sim.scratch import whole_file
from sim.trace.linears import Site
from sim.workload.precision import MODULES

PRECISION, REPORT = "precision.yaml", "search.json"


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found.

    Attributes
    ----------
    confidence
        That every accepted precision was asked to be within the tolerance with; None: its measured loss counted.
    reference
        Perplexity with FP16 activations.
    evaluations
        Of the visited precisions.
    kv
        How keys and values were kept; None: attention was the model's own.
    """

    model: str
    tolerance: float
    confidence: float | None
    reference: float
    cost: BitOperations
    visits: list[Visit]
    evaluations: Mapping[Choice, Evaluation]
    seconds: float
    kv: str | None = None

    @property
    def best(self) -> Visit | None:
        return best_of(self.visits)

    def within_noise(self, precision: Choice) -> bool:
        """Whether a text of that length leaves open if a precision is within the tolerance."""
        return self.evaluations[precision].loss.within_noise(self.tolerance, self.confidence or CONFIDENCE)

    def tokens_to_settle(self, precision: Choice) -> int | None:
        """Tokens of text that would settle it; None where it is settled, or no number would."""
        if not self.within_noise(precision):
            return None
        return self.evaluations[precision].loss.tokens_to_settle(self.tolerance, self.confidence or CONFIDENCE)

    def report(self) -> dict[str, Any]:
        """As it is written to search.json."""
        best = self.best
        return {
            "model": self.model,
            "tolerance": self.tolerance,
            "confidence": self.confidence,
            "reference_perplexity": self.reference,
            "macs_a_token": dict(zip(MODULES, self.cost.macs, strict=True)),
            "kv": self.kv,
            "attention_macs_a_token": self.cost.attention and list(self.cost.attention),
            "best": best and self._row(best),
            "evaluations": len(self.visits),
            "seconds": self.seconds,
            "visits": [self._row(visit) for visit in self.visits],
        }

    def _row(self, visit: Visit) -> dict[str, Any]:
        evaluation = self.evaluations[visit.precision]
        return {
            **_written(visit.precision),
            "bit_operations_a_token": visit.bit_operations,
            "saving": self.cost.saving(visit.precision),
            "perplexity": evaluation.perplexity,
            "relative_loss": evaluation.loss.relative(),
            "loss_nats": evaluation.loss.nats,
            "standard_error_nats": evaluation.loss.standard_error,
            "accepted": visit.accepted,
            "within_noise": self.within_noise(visit.precision),
            "tokens_to_settle": self.tokens_to_settle(visit.precision),
        }


def _written(choice: Choice) -> dict[str, list[int]]:
    """As a precision file holds it."""
    lengths, widths, attention = parts(choice)
    named = {"precision": lengths, "weight_bits": widths, "attention_precision": attention}
    return {name: list(part) for name, part in named.items() if part is not None}


def _as_format(like: Format, choice: Choice | None) -> Format:
    """The format of a choice; None: FP16 activations, whole weights, and the model's own attention."""
    if choice is None:
        return replace(like, lengths=None, attention=None)
    lengths, widths, attention = parts(choice)
    own = like.attention.with_lengths(attention) if like.attention and attention else None
    return replace(like, lengths=lengths, weight_bits=widths, attention=own)


def stored_planes(evaluator: Evaluator) -> int:
    """Bits that all weights of a model are stored with.

    Raises
    ------
    InputError
        Where they differ from layer to layer, or are of a format whose codes are no planes.
    """
    formats = {evaluator.formats[site.name] for site in evaluator.sites}
    widths = sorted({stored.bits for stored in formats})
    if len(widths) > 1:
        facts = {"found": ", ".join(map(str, widths)), "mend": "--weights '{format: planes, bits: 8}'"}
        raise InputError("layers with weights of several widths", field="--planes", facts=facts)
    return widths[0]


def bit_operations(sites: list[Site], experts_used: float = 1.0) -> BitOperations:
    """Multiply-accumulates a token by module; of experts the share that a token is sent to."""
    macs = dict.fromkeys(MODULES, 0)
    for site in sites:
        if site.kind in macs:
            macs[site.kind] += round(site.k * site.n * (experts_used if site.expert else 1))
    qkv, o, up, down = (macs[module] for module in MODULES)
    return BitOperations((qkv, o, up, down))


def run(
    evaluator: Evaluator,
    out: Path,
    tolerance: float,
    iterations: int,
    confidence: float | None = None,
    like: Format = FP16,
    on_visit: Callable[[], None] = lambda: None,
    *,
    planes: bool = False,
) -> SearchOutcome:
    """Search and write to the folder `out`; one that an interrupted search of the same kind left is gone on with.

    Parameters
    ----------
    confidence
        That an accepted precision must be within the tolerance with, above a half; None: its measured loss decides.

    like
        The format that the lengths are laid over; where its attention is a machine's, its lengths are searched too.
    planes
        Whether to search, too, how many planes of the weights are read.

    Raises
    ------
    InputError
        For a folder with anything else in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    begun_there = {path.name for path in out.iterdir()} <= {MEMORY, REFERENCE}
    if not begun_there and not (out / MEMORY).is_file():
        raise InputError("holds something else than a search", place=Place(str(out)), field="--out")
    told = f"{like.rounding}, {like.group_size}, {like.conversion}"
    told += f", {like.attention.told}" if like.attention else ""
    fingerprint = evaluator.fingerprint | {"format": told}
    stored = stored_planes(evaluator) if planes else 0
    remembered = Remembered(out, fingerprint, lambda choice: evaluator.scores(_as_format(like, choice)))
    begun = time.perf_counter()
    errors = quantile(confidence) if confidence else 0.0

    def judged(precision: Choice) -> float:
        evaluation = remembered(precision)
        return evaluation.perplexity * math.exp(errors * evaluation.loss.standard_error)

    cost = replace(bit_operations(evaluator.sites, evaluator.experts_used), planes=stored)
    if like.attention is not None:
        macs = AttentionShape.of(evaluator.model).macs(evaluator.context)
        cost = replace(cost, attention=macs, cache_bits=like.attention.stored_bits)
    visits = []
    for visit in search(judged, (1 + tolerance) * remembered.reference, cost, iterations):
        visits.append(visit)
        on_visit()
    evaluations = {visit.precision: remembered(visit.precision) for visit in visits}
    seconds = time.perf_counter() - begun
    reference = remembered.reference
    kv = like.attention.cache if like.attention else None
    outcome = SearchOutcome(evaluator.name, tolerance, confidence, reference, cost, visits, evaluations, seconds, kv)
    _write(outcome, out)
    return outcome


def _write(outcome: SearchOutcome, out: Path) -> None:
    with whole_file(out / REPORT) as partial:
        partial.write_text(json.dumps(outcome.report(), indent=1) + "\n", encoding="utf-8")
    if outcome.best is not None:
        source = (
            f"search on {outcome.model}: relative loss at most {outcome.tolerance}, {len(outcome.visits)} evaluations"
        )
        if outcome.confidence:
            source += f", at a confidence of {outcome.confidence}"
        source += f", keys and values {outcome.kv}" if outcome.kv else ""
        content = {**_written(outcome.best.precision), "source": source}
        with whole_file(out / PRECISION) as partial:
            partial.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
