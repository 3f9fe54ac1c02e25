"""Where the multipliers' time went: one bar a machine, or a phase of it; useful work first, then the losses."""

from __future__ import annotations

from collections.abc import Sequence

from sim.report.figures.frame import Figure
from sim.report.figures.stacked import stacked
from sim.report.quantities import percent
from sim.report.vocabulary import MULTIPLIERS
from sim.report.waterfall import USEFUL, shares
from sim.result import Result


def waterfall(machines: Sequence[str], results: Sequence[Result]) -> Figure:
    """Stacked bars in percent of each machine's multiplier-cycles; the number at the end is the useful share."""
    names, parts = [], []
    for machine, result in zip(machines, results, strict=True):
        names.append(machine)
        parts.append(shares(result.waterfall))
        if len(result.phases) > 1:
            names += [f"{machine}, {phase}" for phase in result.phases]
            parts += [shares(phase.waterfall) for phase in result.phases.values()]
    hundredths = [{name: 100 * share for name, share in one.items()} for one in parts]
    figure = stacked(names, hundredths, MULTIPLIERS, "multipliers' time, %", lambda amount: percent(amount / 100))
    for note, one in zip(figure["layout"]["annotations"], parts, strict=True):
        note["text"] = percent(one[USEFUL])
    return figure
