"""`sim.py validate TRACE`: one real trace through golden model, simulator, RTL and CUDA kernel."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="validate", help="One trace through every witness of the hardware's arithmetic.")


@app.command()
def validate(
    trace: Annotated[Path, typer.Argument(help="Folder of a trace with values: `trace MODEL --text FILE`.")],
    arch: Annotated[str, typer.Option(help="An Anda machine; see `list`.")] = "anda-hpca25",
    precision: Annotated[str, typer.Option(help="Mantissa lengths: one number, or 7,6,6,6 for qkv,o,up,down.")] = "8",
    tokens: Annotated[int, typer.Option(min=1, help="The most tokens of a GeMM that are computed.")] = 64,
    outputs: Annotated[int, typer.Option(min=1, help="The most outputs a token that are computed.")] = 1024,
    every: Annotated[bool, typer.Option("--all", help="Every GeMM; else the first of each module and shape.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the page and validation.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier validation there.")] = False,
) -> None:
    """Run a trace's GeMMs through simulator, RTL, CUDA kernel and golden model, and compare every bit."""
    from rich.console import Console

    from gpu_ref.validate import show
    from gpu_ref.validate.validate import ValidationRequest
    from gpu_ref.validate.validate import validate as checks
    from gpu_ref.validate.witnesses import KernelRunner
    from sim.report.folder import new_folder, refuse_existing

    request = ValidationRequest(trace, arch, precision, tokens, outputs, every)
    if out is not None:
        refuse_existing(out.expanduser().resolve(), out, overwrite)
    told = Console(stderr=True)
    runner = KernelRunner.find()
    checked = list(checks(request, runner, lambda text: told.print(text, style="dim") if sys.stderr.isatty() else None))
    show.print_checked(checked, request, runner.note, Console())
    if out is not None:
        with new_folder(out, overwrite) as inside:
            content = json.dumps(show.as_dict(checked, request, runner.note), indent=1, allow_nan=False)
            (inside / "validation.json").write_text(content + "\n", encoding="utf-8")
            (inside / "report.html").write_text(show.page(checked, request, runner.note), encoding="utf-8")
    if not all(one.agree for one in checked):
        raise typer.Exit(1)
