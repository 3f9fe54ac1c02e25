"""A command group with one command."""

from __future__ import annotations

import typer

app = typer.Typer(name="toy", help="Commands of a toy.")


@app.command()
def hello() -> None:
    """Say hello."""
    print("hello from a toy")
