"""A precision search in a terminal and on a page."""

from __future__ import annotations

from pathlib import Path

from sim.accuracy.loss import CONFIDENCE
from sim.accuracy.report import shown
from sim.precision_search.run import PRECISION, SearchOutcome
from sim.precision_search.search import Visit, lengths
from sim.report.document import document, drawn
from sim.report.figures.search import path_of_search
from sim.report.markup import join, table, tag


def print_outcome(outcome: SearchOutcome, out: Path) -> None:
    """A line a visited tuple, then the best."""
    from rich.console import Console
    from rich.table import Table

    visited = Table(_tuple(outcome), box=None)
    for heading in ("saving", "perplexity", "loss", "± error"):
        visited.add_column(heading, justify="right")
    visited.add_column("")
    for visit in outcome.visits:
        visited.add_row(*_cells(outcome, visit))
    console = Console()
    console.print(visited)
    best = outcome.best
    if best is None:
        console.print(f"no tuple stays within {_asked(outcome)}; report in {out}")
    else:
        saving = outcome.cost.saving(best.precision)
        console.print(f"best {lengths(best.precision)}: {saving:.3f} x fewer bit operations, in {out / PRECISION}")
    for remark in _open(outcome):
        console.print(remark, highlight=False)


def search_page(outcome: SearchOutcome) -> str:
    """The page's text: perplexity against bit operations with the path, and every visited tuple."""
    title = f"Precision search on {outcome.model}"
    best = outcome.best
    found = "No tuple stays within it." if best is None else f"The best tuple is {lengths(best.precision)}."
    headings = (_tuple(outcome), "saving", "perplexity", "loss", "± standard error", "judgement")
    rows = [_cells(outcome, visit) for visit in outcome.visits]
    body = join(
        [
            tag("h1", title),
            tag("p", f"Accepted loss of perplexity {_asked(outcome)}, {len(outcome.visits)} evaluations. {found}"),
            *(tag("p", remark) for remark in _open(outcome)),
            drawn(path_of_search(outcome), "Perplexity against bit operations a token, in the order of the search."),
            table(headings, rows, words=(0, 5)),
        ]
    )
    return document(title, body)


def _tuple(outcome: SearchOutcome) -> str:
    """What the numbers of a tuple are of."""
    planes = " x planes" if outcome.cost.planes else ""
    return f"qkv,o,up,down{planes}" + (" + queries,softmax" if outcome.kv else "")


def _cells(outcome: SearchOutcome, visit: Visit) -> tuple[str, ...]:
    return (
        lengths(visit.precision),
        f"{outcome.cost.saving(visit.precision):.3f}",
        f"{outcome.evaluations[visit.precision].perplexity:.4f}",
        *shown(outcome.evaluations[visit.precision].loss),
        ("accepted" if visit.accepted else "refused")
        + (", within noise" if outcome.within_noise(visit.precision) else ""),
    )


def _asked(outcome: SearchOutcome) -> str:
    sure = f", at a confidence of {outcome.confidence:.1%}" if outcome.confidence else ""
    return f"{outcome.tolerance:.2%}{sure}"


def _open(outcome: SearchOutcome) -> list[str]:
    """What the text is too short to settle, and how much would do."""
    noisy = [visit.precision for visit in outcome.visits if outcome.within_noise(visit.precision)]
    if not noisy:
        return []
    tokens = outcome.evaluations[noisy[0]].loss.tokens
    confidence = outcome.confidence or CONFIDENCE
    said = [
        f"{len(noisy)} of {len(outcome.visits)} judgements lie within noise: {tokens:,} tokens do not settle them at a "
        f"confidence of {confidence:.0%}."
    ]
    best, last = outcome.best, None
    if best is not None:
        last = outcome.tokens_to_settle(best.precision)
    if best is not None and last is not None:
        said.append(f"Some {last:,} tokens would settle whether {lengths(best.precision)} stays within the tolerance.")
    return said
