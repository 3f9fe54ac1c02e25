"""What a search has measured so far, on disk after every evaluation, so that an interrupted one goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sim.errors import InputError, Place
from sim.precision_search.search import lengths
from sim.workload.precision import Precision


class Remembered:
    """Perplexities by precision (None: FP16 activations), measured once.

    Parameters
    ----------
    path
        A JSON file, made where there is none.
    fingerprint
        Of the model, its weights, the text and the conversion; a file of another one is refused.

    Raises
    ------
    InputError
        For a file that is damaged or belongs to another search.
    """

    def __init__(self, path: Path, fingerprint: str, measure: Callable[[Precision | None], float]) -> None:
        self._path, self._fingerprint, self._measure = path, fingerprint, measure
        self._known: dict[str, float] = self._read() if path.exists() else {}

    def __call__(self, precision: Precision | None) -> float:
        key = "fp16" if precision is None else lengths(precision)
        if key not in self._known:
            self._known[key] = self._measure(precision)
            self._write()
        return self._known[key]

    def _read(self) -> dict[str, float]:
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            fingerprint, known = values["fingerprint"], dict(values["perplexity"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"not the memory of a search: {error}", place=Place(str(self._path))) from None
        if fingerprint != self._fingerprint:
            raise InputError(
                "belongs to a search of another model, text or format",
                place=Place(str(self._path)),
                facts={"mend": "choose another folder, or remove the file"},
            )
        return known

    def _write(self) -> None:
        partial = self._path.with_suffix(".partial")
        values = {"fingerprint": self._fingerprint, "perplexity": self._known}
        partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._path)
