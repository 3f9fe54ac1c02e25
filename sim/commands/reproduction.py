"""`reproduce`: a paper's evaluation, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.commands import options as shared


def reproduce(
    paper: Annotated[str, typer.Argument(help="anda, or another paper of the shelf: pmpd.")] = "anda",
    only: Annotated[list[str] | None, typer.Option("--only", help="A section by its name; may be repeated.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of reproduction.json, reproduction.csv and report.html; runs/reproduction unless told, "
            "with the name of another paper behind it."
        ),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="File of runs to reuse (default: in your cache folder).")] = None,
    jobs: shared.Jobs = None,
) -> None:
    """Run a paper's evaluation again and lay it beside the published numbers."""
    import sys

    from rich.console import Console
    from rich.progress import Progress

    from sim.reproduce import files
    from sim.reproduce.reproduction import paper_of
    from sim.reproduce.reproduction import reproduce as run
    from sim.reproduce.terminal import print_reproduction
    from sim.runs.jobs import default_jobs

    paper_of(paper)
    out = out or Path("runs/reproduction" if paper == "anda" else f"runs/reproduction-{paper}")
    files.check(out)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reproducing", total=None)
        made = run(
            only or (),
            paper=paper,
            jobs=jobs or default_jobs(),
            cache=cache,
            progress=lambda name, done, total: bar.update(task, description=name, completed=done, total=total),
        )
    files.write(made, out)
    console = Console()
    print_reproduction(made, console)
    console.print(f"results in {out}", soft_wrap=True, highlight=False, markup=False)
