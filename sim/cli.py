"""The command line. Commands stand in sim/commands or plug in; what they need is imported when one of them runs."""

from __future__ import annotations

import errno
import gc
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sim import plugins, program
from sim.commands import catalogue, explain, models, report, reproduction, simulation, streaming, sweep
from sim.errors import InputError

COMMANDS: plugins.Seam[typer.Typer] = plugins.Seam("commands", "command")

ALLOCATIONS = 100_000
"""Between two searches for cycles of garbage: at Python's 700, starting takes a tenth longer for nothing found."""


class Pluggable(TyperGroup):
    """The commands of this package, and those that plug in."""

    def get_command(self, ctx: Any, name: str) -> Any:
        plugged, own = COMMANDS.find(name), super().get_command(ctx, name)
        if plugged is None or own is not None:
            return self._alone(name, own, plugged)
        group = typer.main.get_group(plugged)
        group.name = name
        # A group of one command that has its name is that command.
        return group.commands.get(name, group) if len(group.commands) == 1 else group

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *COMMANDS.names()]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _plain(error.message)
            raise

    @staticmethod
    def _alone(name: str, own: Any, plugged: object) -> Any:
        if own is not None and plugged is not None:
            raise InputError("a plug-in may not replace a command", field=name)
        return own


app = typer.Typer(
    name="anda-sim",
    cls=Pluggable,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("run")(simulation.run)
app.command("compare")(simulation.compare)
app.command("stream")(streaming.stream)
app.command("list")(catalogue.list_)
app.command("schema")(catalogue.schema)
app.command("explain")(explain.explain)
app.command("report")(report.report)
app.command("reproduce")(reproduction.reproduce)
app.command("trace")(models.trace)
app.command("perplexity")(models.perplexity)
app.command("search")(models.search)
app.add_typer(sweep.app, name="sweep")
app.command("pareto")(sweep.pareto)


def _plain(message: str) -> str:
    """What is wrong with an option, without the words of the library that found out."""
    told = message.removeprefix("Value error, ").replace("Input should be ", "expected ")
    return re.sub(r", unable to parse .*", "", told).replace("a valid integer", "an integer").replace("a valid ", "a ")


def _use(files: list[Path] | None) -> list[Path] | None:
    plugins.use(files or ())
    return files


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"{program.PACKAGE} {program.version()}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_tell_version, is_eager=True)
    ] = False,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(help="A Python file with parts of your own; may be repeated.", callback=_use, is_eager=True),
    ] = None,
) -> None:
    """Cycle-level simulator of the Anda LLM accelerator and its baselines."""


def main() -> None:
    """Run a command; what the user can mend is one message and exit code 2."""
    gc.set_threshold(ALLOCATIONS)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would read the metadata of all that is installed
    try:
        try:
            app(prog_name=program.name())
        finally:
            sys.stdout.flush()
    except InputError as error:
        print(error.render(), file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in its buffer goes nowhere
        print(f"{error.filename or 'output'}: cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(2)
