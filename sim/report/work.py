"""What a result did: its GeMMs, and one line that says so."""

from __future__ import annotations

from collections import Counter

from sim.report.result import Result
from sim.report.vocabulary import label

Shape = tuple[int | None, int | None, int | None]


def shapes(result: Result) -> Counter[Shape]:
    """How often each shape (m, k, n) occurs; work of the vector unit has the shape of Nones."""
    found: Counter[Shape] = Counter()
    for layer in result["layers"]:
        found[layer["m"], layer["k"], layer["n"]] += layer["count"]
    return found


def work_details(result: Result) -> str:
    """Phases, precision and scope, such as `prefill; precision wikitext2-1%; scope fp-int`."""
    workload = result["workload"]
    phases = " + ".join(dict.fromkeys(layer["phase"] for layer in result["layers"]))
    precision = workload.get("precision")
    if isinstance(precision, dict):
        precision = ", ".join(f"{label(str(key))} {value}" for key, value in precision.items())
    details = (phases, precision and f"precision {precision}", f"scope {workload.get('scope')}")
    return "; ".join(str(part) for part in details if part)
