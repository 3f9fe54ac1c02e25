"""The page: every table of the reproduction, coloured by difference, its picture, and a reason for each miss."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from sim.report.document import foot
from sim.report.markup import Html, join, tag
from sim.reproduce.cells import PaperCell, PaperSection, Role, Score, Table, Verdict
from sim.reproduce.pictures import drawn, shown
from sim.reproduce.reproduction import Reproduction

POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'\">"
)
KEY = {
    Verdict.WITHIN: "predicted, within its limit",
    Verdict.OUTSIDE: "predicted, outside",
    Verdict.EXEMPT: "outside, and the paper contradicts itself",
}


def page(reproduction: Reproduction) -> str:
    """The page's text: one file, no script, nothing loaded from elsewhere."""
    head = join(
        [
            Html('<meta charset="utf-8"><meta name="generator" content="anda-sim">'),
            Html(POLICY),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", reproduction.title),
            Html(f"<style>{_style('sim.report')}{_style('sim.reproduce')}</style>"),
        ]
    )
    body = join(
        [
            tag("h1", reproduction.title),
            *_summary(reproduction),
            tag("nav", *(tag("div", _link(section)) for section in reproduction.sections)),
            *(part for section in reproduction.sections for part in section_html(section)),
        ]
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}{foot()}</body></html>\n'


def _summary(reproduction: Reproduction) -> Iterator[Html]:
    counts = reproduction.verdicts
    yield tag(
        "p",
        f"{told(reproduction.score)}: {counts[Verdict.OUTSIDE]} outside, {counts[Verdict.EXEMPT]} where the paper "
        f"contradicts itself. Not counted: {counts[Verdict.INPUT]} numbers that went into the simulator, are 1 by "
        f"definition or follow from such by arithmetic, {counts[Verdict.FITTED]} for which something was chosen, and "
        f"{counts[Verdict.ALONE]} that the paper has no counterpart of.",
    )
    yield tag(
        "p",
        "Every simulated number was made by a run of this version of the simulator "
        f"(code {reproduction.code}) on the shipped machines and workloads, by ",
        tag("code", "python sim.py reproduce" + ("" if reproduction.paper == "anda" else f" {reproduction.paper}")),
        ". In the tables the paper's number stands in small print behind the simulated one.",
        class_="note",
    )
    yield tag("p", *(tag("span", words, class_=verdict.value) for verdict, words in KEY.items()), class_="key")


def told(score: Score | None) -> str:
    """How the predictions came out, in a sentence without its end."""
    if score is None:
        return "No number of the paper is predicted here"
    return (
        f"{score.predictions} numbers of the paper are predicted: {score.within} within their limits, relative errors "
        f"of {100 * score.median:.1f} % in the median and {100 * score.largest:.0f} % at most"
    )


def _link(section: PaperSection) -> Html:
    return tag("a", section.title, href=f"#{section.name}")


def section_html(section: PaperSection) -> Iterator[Html]:
    """The parts of a section, in their order."""
    beyond = [] if section.place else [tag("span", " beyond the paper", class_="beyond")]
    yield tag("h2", section.title, *beyond, id=section.name)
    if section.place:
        yield tag("p", section.place, class_="note")
    yield tag("p", section.note, class_="note")
    for table in section.tables:
        yield tag("h3", f"{table.name[0].upper()}{table.name[1:]}: {table.quantity}")
        if table.note:
            yield tag("p", table.note, class_="note")
        picture = drawn(table)
        if picture is not None:
            yield tag("figure", picture)
        yield _matrix(table)
        yield from _reasons(table)


def _matrix(table: Table) -> Html:
    columns = table.columns
    head = tag(
        "tr",
        tag("th", table.corner, class_="word", scope="col"),
        *(tag("th", column, class_="number", scope="col") for column in columns),
    )
    rows = (
        tag("tr", tag("td", row, class_="word"), *(_field(table, table.at(row, column)) for column in columns))
        for row in table.rows
    )
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="wide")


def _field(table: Table, cell: PaperCell | None) -> Html:
    if cell is None:
        return tag("td", "")
    paper = [] if cell.paper is None else [tag("span", shown(table, cell.paper), class_="paper")]
    kind = "" if cell.verdict is Verdict.ALONE else cell.verdict.value
    return tag("td", shown(table, cell.simulated), *paper, class_=f"number {kind}".strip(), title=_told(table, cell))


def _told(table: Table, cell: PaperCell) -> str:
    """What the pointer shows: relative error, role, limit, verdict and reason."""
    if cell.difference is None:
        return "simulated; no counterpart in the paper"
    parts = [f"error {_difference(cell)}"]
    if cell.role is Role.PREDICTED:
        parts.append(f"predicted, limit {cell.tolerance.name}, {cell.verdict.value}")
    elif cell.role is not None:
        parts.append(cell.role.value)
    return "; ".join([*parts, *([cell.reason] if cell.reason else [])])


def _difference(cell: PaperCell) -> str:
    return f"{100 * (cell.difference or 0.0):+.1f} %"


def _reasons(table: Table) -> Iterator[Html]:
    """Each reason once, with the cells it is about."""
    about: dict[str, list[str]] = {}
    for cell in table.cells:
        if cell.needs_reason:
            told = f"{cell.row}, {cell.column} {_difference(cell)}"
            about.setdefault(f"{cell.verdict.value}: {cell.reason}", []).append(told)
    if about:
        yield tag("ul", *(tag("li", f"{'; '.join(cells)} - {why}.") for why, cells in about.items()), class_="reasons")


def _style(package: str) -> str:
    return files(package).joinpath("page.css").read_text(encoding="utf-8")
