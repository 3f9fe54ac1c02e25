"""A precision search drawn: every evaluated tuple, and the path of the accepted ones."""

from __future__ import annotations

from sim.precision_search.run import Outcome
from sim.precision_search.search import Visit, lengths
from sim.report.figures.frame import GREY, Figure, axis, layout


def path_of_search(outcome: Outcome) -> Figure:
    """Perplexity against bit operations a token."""
    accepted = [visit for visit in outcome.visits if visit.accepted]
    refused = [visit for visit in outcome.visits if not visit.accepted]
    limit = (1 + outcome.tolerance) * outcome.reference
    ends = [min(v.bit_operations for v in outcome.visits), max(v.bit_operations for v in outcome.visits)]
    traces = [
        _marks("refused", refused, outcome, {"color": GREY, "symbol": "x", "size": 9}),
        _marks("accepted", accepted, outcome, {"color": "#0072B2", "size": 10}) | {"mode": "lines+markers"},
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"limit, {outcome.tolerance:.2%} above FP16 activations",
            "x": ends,
            "y": [limit, limit],
            "line": {"color": "#D55E00", "dash": "dash"},
            "hoverinfo": "skip",
        },
    ]
    axes = {"xaxis": axis("bit operations a token"), "yaxis": axis("perplexity")}
    return {"data": traces, "layout": layout(420, **axes)}


def _marks(name: str, visits: list[Visit], outcome: Outcome, marker: dict[str, object]) -> Figure:
    numbers = {visit.precision: number for number, visit in enumerate(outcome.visits, 1)}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [visit.bit_operations for visit in visits],
        "y": [visit.perplexity for visit in visits],
        "marker": marker,
        "hoverinfo": "text",
        "hovertext": [
            f"{numbers[visit.precision]}: {lengths(visit.precision)}<br>perplexity {visit.perplexity:.4f}"
            for visit in visits
        ],
    }
