"""What a search has measured so far, on disk after every evaluation, so that an interrupted one goes on.

evaluations.json  what was searched, part by part, and what each precision lost
reference.npy     log-likelihoods of the tokens with FP16 activations, which every precision is compared with
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim.accuracy.loss import FormatLoss
from sim.accuracy.perplexity import Scores, perplexity
from sim.errors import InputError, Place
from sim.precision_search.search import Choice, lengths
from sim.reading import LARGEST_RECORD, json_of
from sim.scratch import whole_file

MEMORY, REFERENCE = "evaluations.json", "reference.npy"


@dataclass(frozen=True)
class Evaluation:
    """What a precision does to a model."""

    perplexity: float
    loss: FormatLoss


class Remembered:
    """Evaluations by precision, each measured once.

    Parameters
    ----------
    folder
        Of the memory, made where there is none.
    fingerprint
        A hash of each thing that decides what is measured, by its name; a memory of another search is refused.
    measure
        Log-likelihoods of the tokens under a precision; None: FP16 activations.

    Raises
    ------
    InputError
        For a memory that is damaged or belongs to another search.
    """

    def __init__(
        self, folder: Path, fingerprint: Mapping[str, str], measure: Callable[[Choice | None], Scores]
    ) -> None:
        self._folder, self._path, self._measure = folder, folder / MEMORY, measure
        self._fingerprint = dict(fingerprint)
        self._known: dict[str, Evaluation] = self._read() if self._path.exists() else {}
        self._reference = self._read_reference() if self._path.exists() else measure(None)
        self.reference = perplexity(self._reference)
        if not self._path.exists():
            with whole_file(folder / REFERENCE) as partial:
                np.save(partial, self._reference)
            self._write()

    def __call__(self, precision: Choice) -> Evaluation:
        key = lengths(precision)
        if key not in self._known:
            scores = self._measure(precision)
            self._known[key] = Evaluation(perplexity(scores), FormatLoss.of(scores, self._reference))
            self._write()
        return self._known[key]

    def _read(self) -> dict[str, Evaluation]:
        try:
            values = json_of(self._path, LARGEST_RECORD)
            fingerprint = dict(values["fingerprint"])
            known = {key: _evaluation(one) for key, one in values["evaluations"].items()}
        except (InputError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._not_a_memory(error) from None
        others = [part for part, digest in self._fingerprint.items() if fingerprint.get(part) != digest]
        if others:
            raise InputError(
                f"belongs to a search of another {', '.join(others)}",
                place=Place(str(self._path)),
                facts={"mend": "choose another folder, or remove this one"},
            )
        return known

    def _read_reference(self) -> Scores:
        try:
            scores: Scores = np.load(self._folder / REFERENCE)
        except (OSError, ValueError, EOFError) as error:
            raise self._not_a_memory(error) from None
        return scores

    def _not_a_memory(self, error: Exception) -> InputError:
        mend = {"mend": "choose another folder, or remove this one"}
        return InputError(f"not the memory of a search: {error!r}", place=Place(str(self._path)), facts=mend)

    def _write(self) -> None:
        evaluations = {key: asdict(one) for key, one in self._known.items()}
        values = {"fingerprint": self._fingerprint, "evaluations": evaluations}
        with whole_file(self._path) as partial:
            partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _evaluation(values: dict[str, Any]) -> Evaluation:
    return Evaluation(float(values["perplexity"]), FormatLoss(**values["loss"]))
