"""A precision search drawn: every evaluated tuple with its standard error, and the path of the accepted ones."""

from __future__ import annotations

import math

from sim.precision_search.memory import Evaluation
from sim.precision_search.run import SearchOutcome
from sim.precision_search.search import Visit, lengths
from sim.report.figures.frame import GREY, Figure, axis, layout


def path_of_search(outcome: SearchOutcome) -> Figure:
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


def _marks(name: str, visits: list[Visit], outcome: SearchOutcome, marker: dict[str, object]) -> Figure:
    evaluations = [outcome.evaluations[visit.precision] for visit in visits]
    numbers = {visit.precision: number for number, visit in enumerate(outcome.visits, 1)}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [visit.bit_operations for visit in visits],
        "y": [evaluation.perplexity for evaluation in evaluations],
        "error_y": {"type": "data", "array": [_error(one) for one in evaluations], "thickness": 1},
        "marker": marker,
        "hoverinfo": "text",
        "hovertext": [
            f"{numbers[visit.precision]}: {lengths(visit.precision)}<br>perplexity {evaluation.perplexity:.4f}"
            for visit, evaluation in zip(visits, evaluations, strict=True)
        ],
    }


def _error(evaluation: Evaluation) -> float:
    """A standard error of the perplexity beside that of FP16 activations; 0 where it is not known."""
    error = evaluation.perplexity * math.expm1(evaluation.loss.standard_error)
    return error if math.isfinite(error) else 0.0
