"""Design against design: one bar a machine, made of parts (energy or area by component, time by module)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.quantities import percent
from sim.report.vocabulary import colours, label


def stacked(
    machines: Sequence[str],
    parts: Sequence[Mapping[str, float]],
    known: Mapping[str, str],
    title: str,
    shown: Callable[[float], str],
) -> Figure:
    """Stacked bars.

    Parameters
    ----------
    machines, parts
        The name of every machine, and what each of its parts amounts to.
    known
        The colours, and the order, of the parts that have one.
    title
        Of the axis, with its unit of measure.
    shown
        How an amount is written, such as `15.38 J`.
    """
    names = [words(machine) for machine in machines]
    totals = [sum(part.values()) for part in parts]
    traces = []
    for part, colour in colours((name for one in parts for name in one), known).items():
        amounts = [one.get(part, 0) for one in parts]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": words(label(part)),
                "y": names,
                "x": amounts,
                "marker": {"color": colour},
                "hoverinfo": "text",
                "hovertext": [
                    f"{name}<br>{words(label(part))}: {shown(amount)}, {percent(amount / total if total else 0)}"
                    for name, amount, total in zip(names, amounts, totals, strict=True)
                ],
            }
        )
    sums = [
        {"x": total, "y": name, "text": shown(total), "xanchor": "left", "xshift": 4, "showarrow": False}
        for name, total in zip(names, totals, strict=True)
    ]
    return {
        "data": traces,
        "layout": layout(
            120 + 34 * len(machines),
            barmode="stack",
            bargap=0.3,
            annotations=sums,
            xaxis=axis(title, tickformat="~s" if max(totals) > 1000 else "", range=[0, 1.12 * max(totals)]),
            yaxis=axis("", type="category", autorange="reversed", showgrid=False),
        ),
    }
