"""The command line. Commands stand in sim/commands; what they need is imported when one of them runs."""

from __future__ import annotations

import sys

import typer

import gpu_ref.cli
import sim.rtl.commands
from sim.commands import catalogue, models, report, reproduction, simulation, sweep
from sim.errors import InputError

app = typer.Typer(
    name="anda-sim",
    help="Cycle-level simulator of the Anda LLM accelerator and its baselines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(simulation.run)
app.command("compare")(simulation.compare)
app.command("list")(catalogue.list_)
app.command("schema")(catalogue.schema)
app.command("report")(report.report)
app.command("reproduce")(reproduction.reproduce)
app.command("trace")(models.trace)
app.command("perplexity")(models.perplexity)
app.command("search")(models.search)
app.add_typer(sweep.app, name="sweep")
app.command("pareto")(sweep.pareto)
app.add_typer(gpu_ref.cli.app, name="gpu")
app.add_typer(sim.rtl.commands.app, name="rtl")


def main() -> None:
    """Run a command; what the user can mend is one message and exit code 2."""
    try:
        app()
    except InputError as error:
        print(error.render(), file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
