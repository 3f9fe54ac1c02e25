"""The comparison as sections of a page: ratios within a chip, seconds, what survives, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_ref.beside.cost import PlaceCost
from gpu_ref.beside.notes import notes, title
from gpu_ref.beside.standing import NORMALISATIONS, PhaseStanding, ratios, verdict, within
from gpu_ref.beside.terminal import alone, bracket, factor
from sim.report.document import drawn, fold
from sim.report.figures.frame import GREY, Figure, axis, layout, words
from sim.report.markup import Html, table, tag
from sim.report.quantities import percent, ratio, si
from sim.report.vocabulary import SPARE

if TYPE_CHECKING:
    from gpu_ref.beside.comparison import Beside


def sections(beside: Beside) -> list[Html]:
    """In the order of the terminal."""
    found = [
        tag("h2", f"Beside {beside.card.name}"),
        tag("p", "; ".join(beside.card.provenance), class_="note"),
        tag("h3", "Within one chip, whatever is held equal"),
        _within(beside),
        *(tag("p", line, class_="note") for line in alone(beside)),
    ]
    for part in beside.parts:
        found += _part(beside, part)
    found += [tag("p", line, class_="note") for line in notes(beside)]
    return found


def _within(beside: Beside) -> Html:
    rows = [[part.name, one, first, ratio(value)] for part in beside.parts for one, first, value in within(part)]
    return table(("phase", "platform", "over", "speedup"), rows, (0, 1, 2))


def _part(beside: Beside, part: PhaseStanding) -> list[Html]:
    columns = ["platform", "time", "time a token", "error", "share of bandwidth", "share of peak", "energy"]
    rows = [
        [
            entry.platform.name,
            si(entry.cost.seconds, "s"),
            si(entry.cost.seconds / part.tokens, "s") if part.tokens else "",
            entry.platform.error,
            percent(entry.bandwidth_share),
            percent(entry.peak_share),
            bracket(entry.cost.least_joules, entry.cost.most_joules),
        ]
        for entry in part.entries
    ]
    best = part.best.platform.name
    against = [(entry.platform.name, ratios(entry, part.best)) for entry in part.machines]
    normalised = [
        [
            name,
            *("" if (value := values[key]) is None else factor(value) for key in NORMALISATIONS),
            verdict(values, part.best.platform.most_error),
        ]
        for name, values in against
    ]
    return [
        tag("h3", title(part)),
        table(columns, rows),
        drawn(
            _marks(part), f"Speedup over {best}, the card's fastest here, with what is named held equal; 1 is as fast."
        ),
        table(["machine", *NORMALISATIONS, "verdict"], normalised, (0, len(NORMALISATIONS) + 1)),
        *(tag("p", f"left out: {line}", class_="note") for line in (*part.left_out, *part.dropped)),
        fold(f"Layers of {part.name}, one instance each", _layers(beside, part)),
    ]


def _marks(part: PhaseStanding) -> Figure:
    """Machines over the card's best, one column a normalisation; the line is as fast."""
    traces = []
    for entry, colour in zip(part.machines, SPARE * len(part.machines), strict=False):
        values = {name: value for name, value in ratios(entry, part.best).items() if value is not None}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": words(entry.platform.name),
                "x": list(values),
                "y": list(values.values()),
                "marker": {"color": colour, "size": 12, "symbol": "diamond"},
                "hoverinfo": "text",
                "hovertext": [f"{words(entry.platform.name)}<br>{name}: {factor(y)}" for name, y in values.items()],
            }
        )
    return {
        "data": traces,
        "layout": layout(
            340,
            xaxis=axis("held equal", type="category", showgrid=False),
            yaxis=axis(f"speedup over {words(part.best.platform.name)}", type="log", dtick=1, ticksuffix="x"),
            shapes=[{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": {"color": GREY}}],
        ),
    }


def _layers(beside: Beside, part: PhaseStanding) -> Html:
    columns = ["layer", "m x k x n", "times", *(entry.platform.name for entry in part.entries)]
    rows = []
    for index in part.covered:
        place = beside.work[index]
        costs = [entry.platform.costs[index] for entry in part.entries]
        times = [si(cost.seconds / place.count, "s") for cost in costs if isinstance(cost, PlaceCost)]
        rows.append([", ".join(place.names), place.text, f"{place.count:,}", *times])
    return table(columns, rows, (0, 1))
