"""The command line. Commands stand in sim/commands or plug in; what they need is imported when one of them runs."""

from __future__ import annotations

import errno
import gc
import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sim import plugins, program
from sim.commands import catalogue, explain, models, report, reproduction, simulation, streaming, sweep
from sim.errors import InputError

COMMANDS: plugins.Seam[typer.Typer] = plugins.Seam("commands", "command")

ALLOCATIONS = 100_000
"""Between two searches for cycles of garbage: at Python's 700, starting takes a tenth longer for nothing found."""


class Pluggable(TyperGroup):
    """The commands of this package, and those that plug in; each is made where it is asked for."""

    listing = False
    """Whether only names and first lines are wanted, as in the list of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=inspect.getdoc(own)) for name, own in OWN.items()}

    def get_command(self, ctx: Any, name: str) -> Any:
        plugged, own = COMMANDS.find(name), OWN.get(name)
        if own is None:
            return None if plugged is None else self._made(name, plugged)
        if plugged is not None:
            raise InputError("a plug-in may not replace a command", field=name)
        if isinstance(own, typer.Typer):
            return self._made(name, own)
        return self.commands[name] if self.listing else self._made(name, _alone(name, own))

    def list_commands(self, ctx: Any) -> list[str]:
        return [*OWN, *COMMANDS.names()]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.listing = True
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _plain(error.message)
            raise

    @staticmethod
    def _made(name: str, commands: typer.Typer) -> Any:
        group = typer.main.get_group(commands)
        group.name = name
        # A group of one command that has its name is that command.
        return group.commands.get(name, group) if len(group.commands) == 1 else group


OWN: dict[str, Callable[..., None] | typer.Typer] = {
    "run": simulation.run,
    "compare": simulation.compare,
    "stream": streaming.stream,
    "list": catalogue.list_,
    "schema": catalogue.schema,
    "explain": explain.explain,
    "report": report.report,
    "reproduce": reproduction.reproduce,
    "trace": models.trace,
    "perplexity": models.perplexity,
    "search": models.search,
    "pareto": sweep.pareto,
    "sweep": sweep.app,
}
app = typer.Typer(
    name="anda-sim",
    cls=Pluggable,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _alone(name: str, command: Callable[..., None]) -> typer.Typer:
    made = typer.Typer()
    made.command(name)(command)
    return made


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
