"""One page for one result or several: everything that was computed, how, and pictures of it.

The page is one file. plotly.js stands in it once, and its content security policy forbids every load from elsewhere,
so that it opens, and stays as it was, without a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import yaml

from sim.report import tables
from sim.report.comparison import Standing, labels, standings
from sim.report.document import document, drawn, fold
from sim.report.figures.bandwidth import bandwidth
from sim.report.figures.roofline import roofline
from sim.report.figures.speedups import speedups
from sim.report.figures.stacked import stacked
from sim.report.figures.stalls import stalls
from sim.report.figures.waterfall import waterfall
from sim.report.markup import Html, join, tag
from sim.report.quantities import si
from sim.report.vocabulary import BASELINE, COMPONENTS, MODULES, colours, explained, label, limiting
from sim.report.work import work_details
from sim.result import Result


def page(results: Sequence[Result], written: datetime, baseline: int = 0, added: Sequence[Html] = ()) -> str:
    """The page's text.

    Parameters
    ----------
    results
        One, or several of the same work, to be compared with `results[baseline]`.
    written
        When; stands in the page's head.
    added
        Sections about things measured elsewhere, beside the machines.

    Raises
    ------
    InputError
        Where several results are not of the same work.
    """
    names = labels(results)
    who = " and ".join(names) if len(names) < 3 else f"{len(names)} machines"
    title = f"{who} on {results[baseline].workload_name}"
    body = join(
        [
            tag("h1", title),
            tag("p", work_details(results[baseline])),
            _provenance(results, written),
            *_sections(results, names, baseline, added),
        ]
    )
    return document(title, body)


def _provenance(results: Sequence[Result], written: datetime) -> Html:
    told: dict[str, list[str]] = {"page written": [f"{written:%Y-%m-%d %H:%M %Z}".strip()]}
    for result in results:
        for key, value in asdict(result.provenance).items():
            text = ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)
            if value is not None and text not in told.setdefault(key, []):
                told[key].append(text)
    rows = (
        part
        for key, texts in told.items()
        for part in (tag("dt", label(key)), tag("dd", *(tag("div", text) for text in texts)))
    )
    return tag("dl", *rows)


def _sections(results: Sequence[Result], names: Sequence[str], baseline: int, added: Sequence[Html]) -> Iterator[Html]:
    if len(results) == 1:
        colour = colours(names, {})
        yield from _one(results[0])
    else:
        colour = colours(names, {names[baseline]: BASELINE})
        yield from _several(standings(results, baseline), baseline, colour)
    yield tag("h2", "Tokens, time and power")
    yield tables.rates(names, results)
    yield tag("p", "A MAC is two operations; watts are of chip and DRAM.", class_="note")
    yield tag("h2", "Where the multipliers' time goes")
    yield drawn(
        waterfall(names, results),
        "Shares of all multipliers in all cycles, the useful share first and at the end of the bar; rows are counted "
        "before columns. DRAM busy: waits while the channel moves something; DRAM idle: while it does not.",
    )
    yield tag("p", "By phase; of a port, the share of the bits that it could have moved.", class_="note")
    yield tables.phases(names, results)
    yield tag("h2", "Where the cycles of each unit go")
    yield drawn(
        stalls(names, results), "Busy, stalled by what the unit waits for, and idle (no work left or none yet)."
    )
    yield from _parts(results, names)
    yield tag("h2", "Roofline")
    yield drawn(
        roofline(names, results, colour),
        "One mark a GeMM (equal ones together); lines are what the DRAM and the arithmetic allow at each mantissa "
        "length that occurs. GeMMs without DRAM traffic have no place here.",
    )
    yield tag("h2", "DRAM over time")
    yield drawn(
        bandwidth(names, results, colour),
        "Means over a layer of what moves, as a share of what the pins could move.",
    )
    yield from added
    yield tag("h2", "Layers")
    yield tag("p", "Quantities are of one instance of a layer; the share is of all its instances.", class_="note")
    for name, result in zip(names, results, strict=True):
        yield fold(name, tables.modules(result), tables.layers(result), opened=len(results) == 1)
    yield tag("h2", "Configuration")
    for name, result in zip(names, results, strict=True):
        yield fold(f"{name}: machine", tag("pre", _yaml(result.arch)))
        yield fold(f"{name}: workload", tag("pre", _yaml(result.workload)))
        yield fold(f"{name}: counters", tag("pre", _yaml(result.counters)))


def _one(result: Result) -> Iterator[Html]:
    yield tables.key_figures(result)
    yield tag("p", tag("strong", f"Limited by {limiting(result.limit)}. "), explained(result.limit))


def _several(ranking: Sequence[Standing], baseline: int, colour: Mapping[str, str]) -> Iterator[Html]:
    base = ranking[baseline]
    yield tag("h2", f"Relative to {base.label}")
    yield tables.machines(ranking, colour)
    yield tag("h2", "Speedup by module")
    yield drawn(speedups(ranking, base.label, colour), f"Time of {base.label} over time of the machine.")
    yield tag("h2", "Energy by group")
    yield tag("p", f"In percent of the energy of {base.label}.", class_="note")
    yield tables.energy_groups(ranking, base)


def _parts(results: Sequence[Result], names: Sequence[str]) -> Iterator[Html]:
    yield tag("h2", "Time by module")
    if len({result.clock_hertz for result in results}) == 1:
        cycles = [{name: one.cycles for name, one in result.modules.items()} for result in results]
        yield drawn(stacked(names, cycles, MODULES, "time, cycles", si), "Cycles of all layers of a module.")
    else:
        seconds = [
            {name: one.cycles / result.clock_hertz for name, one in result.modules.items()} for result in results
        ]
        figure = stacked(names, seconds, MODULES, "time, seconds", lambda value: si(value, "s"))
        yield drawn(figure, "Time of all layers of a module; the machines' clocks differ.")
    yield tag("h2", "Energy by component")
    joules = [{name: one * 1e-12 for name, one in result.energy.items()} for result in results]
    yield drawn(
        stacked(names, joules, COMPONENTS, "energy, joules", lambda value: si(value, "J")), "Energy of the whole run."
    )
    yield tag("h2", "Area by component")
    area = [result.area for result in results]
    yield drawn(stacked(names, area, COMPONENTS, "area, mm²", lambda value: f"{value:.3f} mm²"), "Area of the chip.")


def _yaml(values: object) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
