"""The precision search: the order of the paper's example, and speed and energy against tolerance on recorded searches.

Both join the page where there is something to show: the search itself, and searches recorded under results/search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sim import shipped
from sim.errors import InputError, Place
from sim.precision_search.search import BitOperations, search
from sim.reading import json_of
from sim.reproduce.bench import CaseResults, PaperCase, workload_of
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import LABELS, energy_ratio, speedup
from sim.workload.precision import MODULES

RECORDED = shipped.ROOT / "results" / "search"
"""One folder a search, with the search.json that `sim.py search` writes."""
MACHINES = ("figna", "figna-m8")


@dataclass(frozen=True)
class Recorded:
    """A search that was run: a model of workloads/, the tolerance, and the best tuple."""

    model: str
    tolerance: float
    precision: tuple[int, ...]


def recorded(folder: Path) -> list[Recorded]:
    """The searches in a folder, the tightest tolerance first.

    Raises
    ------
    InputError
        For a file that no search wrote.
    """
    return sorted(map(_read, folder.glob("*/search.json")), key=lambda one: (one.model, one.tolerance))


def _read(path: Path) -> Recorded:
    try:
        found = json_of(path)
        return Recorded(str(found["model"]), float(found["tolerance"]), tuple(found["best"]["precision"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not the record of a search: {error!r}", place=Place(str(path))) from None


def order(paper: Published, bench: CaseResults) -> PaperSection:
    """The search, told the published outcomes, visits tuples in the published order."""
    steps = paper.search.steps
    cells = (
        PaperCell(f"evaluation {number}", "tuple", visited, _digits(step.mantissa_bits), Role.INPUT)
        for number, (visited, step) in enumerate(zip(_visited(paper), steps, strict=True), start=1)
    )
    note = "The search is told which tuples the paper accepted; the order is its own."
    table = Table("order", "tuple of [qkv, o, up, down]", tuple(cells), digits=0, corner="", note=note)
    return PaperSection("search", "Order of the precision search", (table,), place=paper.search.place)


def _visited(paper: Published) -> Iterator[float]:
    accepted = {tuple(step.mantissa_bits): step.accepted for step in paper.search.steps}
    macs = dict.fromkeys(MODULES, 0)
    for gemm in workload_of(PaperCase("", paper.search.model)).gemms:
        macs[gemm.module] += gemm.macs
    qkv, o, up, down = macs.values()
    visits = search(lambda lengths: 0.0 if accepted.get(lengths) else 2.0, 1.0, BitOperations((qkv, o, up, down)))
    return (_digits(visit.precision) for visit in islice(visits, len(paper.search.steps)))


def _digits(lengths: list[int] | tuple[int, ...]) -> float:
    return float("".join(map(str, lengths)))


def tolerances(paper: Published, bench: CaseResults) -> PaperSection | None:
    """Speed and energy against tolerance on the models that searches were recorded of."""
    searches = recorded(RECORDED)
    if not searches:
        return None
    fast, frugal = [], []
    for one in searches:
        model = str(shipped.ROOT / "workloads" / one.model / "config.json")
        precision = ",".join(map(str, one.precision))
        archs = ("fp-fp", *MACHINES, "anda-hpca25")
        base, *others = bench(
            [PaperCase(arch, model, precision if arch == "anda-hpca25" else "fp16") for arch in archs]
        )
        for arch, own in zip(archs[1:], others, strict=True):
            row, column = f"{one.model}, {LABELS[arch]}", f"{100 * one.tolerance:g}"
            fast.append(alone(row, column, speedup(base, own, "times")))
            frugal.append(alone(row, column, energy_ratio(base, own, "times")))
    shared: dict[str, Any] = {"unit": "x", "picture": "lines", "x_title": "tolerance, %"}
    tables = (
        Table("speedup", "speedup over FP-FP", tuple(fast), **shared),
        Table("energy", "energy efficiency over FP-FP", tuple(frugal), **shared),
    )
    return PaperSection(
        "tolerance",
        "Speed and energy against tolerance",
        tables,
        place="Anda, accuracy and performance trade-off",
        note="Mantissa lengths found by `sim.py search` on the shipped model, results recorded in results/search.",
    )
