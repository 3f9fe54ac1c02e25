"""A precision search in a terminal and on a page."""

from __future__ import annotations

from pathlib import Path

from sim.precision_search.run import PRECISION, Outcome
from sim.precision_search.search import Visit, lengths
from sim.report.document import document, drawn
from sim.report.figures.search import path_of_search
from sim.report.markup import join, table, tag


def print_outcome(outcome: Outcome, out: Path) -> None:
    """A line a visited tuple, then the best."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("qkv,o,up,down", box=None)
    for heading in ("saving", "perplexity", "loss", ""):
        shown.add_column(heading, justify="right")
    for visit in outcome.visits:
        shown.add_row(*_cells(outcome, visit))
    console = Console()
    console.print(shown)
    best = outcome.best
    if best is None:
        console.print(f"no tuple stays within {outcome.tolerance:.2%}; report in {out}")
    else:
        saving = outcome.cost.saving(best.precision)
        console.print(f"best {lengths(best.precision)}: {saving:.3f} x fewer bit operations, in {out / PRECISION}")


def search_page(outcome: Outcome) -> str:
    """The page's text: perplexity against bit operations with the path, and every visited tuple."""
    title = f"Precision search on {outcome.model}"
    best = outcome.best
    found = "No tuple stays within it." if best is None else f"The best tuple is {lengths(best.precision)}."
    headings = ("qkv, o, up, down", "saving", "perplexity", "loss", "accepted")
    rows = [_cells(outcome, visit) for visit in outcome.visits]
    body = join(
        [
            tag("h1", title),
            tag(
                "p", f"Accepted loss of perplexity {outcome.tolerance:.2%}, {len(outcome.visits)} evaluations. {found}"
            ),
            drawn(path_of_search(outcome), "Perplexity against bit operations a token, in the order of the search."),
            table(headings, rows, words=(0, 4)),
        ]
    )
    return document(title, body)


def _cells(outcome: Outcome, visit: Visit) -> tuple[str, ...]:
    return (
        lengths(visit.precision),
        f"{outcome.cost.saving(visit.precision):.3f}",
        f"{visit.perplexity:.4f}",
        f"{visit.perplexity / outcome.reference - 1:+.2%}",
        "accepted" if visit.accepted else "",
    )
