"""How many times faster than the baseline every machine is, module by module and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.report.comparison import Standing, module_names
from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.quantities import ratio
from sim.report.vocabulary import label


def speedups(ranking: Sequence[Standing], baseline: str, colour: Mapping[str, str]) -> Figure:
    """Grouped bars; `colour` of a machine by its label."""
    modules = module_names([one.result for one in ranking])
    traces = []
    for one in ranking:
        values = {label(name): one.module_speedups[name] for name in modules if name in one.module_speedups}
        values["all"] = one.speedup
        traces.append(
            {
                "type": "bar",
                "name": words(one.label),
                "x": [words(name) for name in values],
                "y": list(values.values()),
                "marker": {"color": colour[one.label]},
                "hoverinfo": "text",
                "hovertext": [f"{words(one.label)}<br>{words(name)}: {ratio(y)}" for name, y in values.items()],
            }
        )
    return {
        "data": traces,
        "layout": layout(
            360,
            barmode="group",
            xaxis=axis("module", type="category", showgrid=False),
            yaxis=axis(f"speedup over {words(baseline)}", rangemode="tozero", ticksuffix="x"),
        ),
    }
