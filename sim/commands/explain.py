"""`explain`: what limits a result, what would help, and where the difference to another comes from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.commands import options as shared
from sim.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from sim.explain.show import Told
    from sim.report.markup import Html


def explain(
    results: Annotated[
        list[Path],
        typer.Argument(help="A result.json, or the folder of one; two for the difference.", metavar="RESULT..."),
    ],
    out: Annotated[Path | None, typer.Option(help="Write a page with it, too.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier page.")] = False,
    jobs: shared.Jobs = None,
) -> None:
    """Say what limits a result and what doubling each part would gain, simulated; or why two results differ."""
    from rich.console import Console
    from rich.progress import Progress

    from sim.explain import show
    from sim.explain.difference import difference
    from sim.explain.fits import overflows
    from sim.explain.gains import gains
    from sim.report.files import write_page
    from sim.result.json import load_result
    from sim.runs.jobs import default_jobs

    if len(results) > 2:
        raise InputError(f"found {len(results)}", field="RESULT", facts={"allowed": "one result, or two"})
    loaded = [load_result(path) for path in results]
    console = Console()
    console.print()
    for result in loaded:
        console.print(show.limit(result), soft_wrap=True, highlight=False, markup=False)
    if len(loaded) == 2:
        first, second = loaded
        told = list(show.two_results(first, second, difference(first, second)))
    else:
        [result] = loaded
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("doubling each part", total=None)
            found = gains(
                result, jobs or default_jobs(), lambda done, total, _: bar.update(task, completed=done, total=total)
            )
        told = list(show.one_result(result, found, overflows(result)))
    for one in told:
        _print(one, console)
    if out is not None:
        write_page(loaded, out, overwrite, sections=[_html(one) for one in told])
        console.print(f"page in {out}", soft_wrap=True, highlight=False, markup=False)


def _print(told: Told, console: Console) -> None:
    from rich.text import Text

    from sim.report.terminal import table

    console.print()
    console.print(Text(told.heading, "bold"))
    if told.columns:
        table(told.columns, told.rows, told.words, console)
    else:
        console.print(Text("  " + ", ".join(name for (name,) in told.rows)))
    if told.note:
        console.print(Text(told.note, "dim"))


def _html(told: Told) -> Html:
    from sim.report.markup import join, table, tag

    rows: Sequence[Sequence[str]] = told.rows
    body = table(told.columns, rows, told.words) if told.columns else tag("p", ", ".join(name for (name,) in rows))
    return join([tag("h2", told.heading), body, *([tag("p", told.note)] if told.note else [])])
