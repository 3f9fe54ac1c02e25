"""`report`: a page of results that were written before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    results: Annotated[
        list[Path], typer.Argument(help="result.json files, or folders that hold one.", metavar="RESULT...")
    ],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier page.")] = False,
) -> None:
    """Write one page about one result or several, and show them here."""
    from rich.console import Console

    from sim.report.files import write_page
    from sim.report.terminal import print_comparison, print_run
    from sim.result.json import load_result

    loaded = [load_result(path) for path in results]
    write_page(loaded, out, overwrite)
    console = Console()
    if len(loaded) == 1:
        print_run(loaded[0], console)
    else:
        print_comparison(loaded, console)
    console.print(f"page in {out}", soft_wrap=True, highlight=False, markup=False)
