"""`sweep`, `sweep diff` and `pareto`: run a design space, compare two, and look at the front."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sim import program
from sim.errors import InputError, Place

if TYPE_CHECKING:
    from rich.console import Console

    from sim.sweep.points import Progress, Tally
    from sim.sweep.view import View

STORE = Path("runs") / "sweeps.sqlite"
StorePath = Annotated[Path, typer.Option("--store", help="The SQLite file of all points.")]
SWEEP_HELP = "Name of a sweep in the store (NAME@ID where several have it), a sweep file, or STORE.sqlite:NAME."


class FileFirst(TyperGroup):
    """`sweep FILE` stands for `sweep run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=FileFirst, no_args_is_help=True, help="Run a design-space sweep, or compare two.")


@app.command("run")
def run(
    file: Annotated[str, typer.Argument(help="A shipped sweep, or a YAML file.", metavar="FILE")],
    jobs: Annotated[int | None, typer.Option(help="Processes (default: one per core).", min=1)] = None,
    ray: Annotated[str | None, typer.Option(help="Use a Ray cluster: its HOST:PORT, or auto.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a sweep that is in the store, or help a process that is at it.")
    ] = False,
    store: StorePath = STORE,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a key of the file: mode=random.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than a million points.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of report and tables (default: runs/sweep_NAME).")] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html and tables.")] = True,
) -> None:
    """Run a sweep: grid, random or search, as its file says."""
    from rich.console import Console

    from sim.report.folder import file_name
    from sim.runs.jobs import default_jobs
    from sim.sweep.files import refuse_foreign, require_writer
    from sim.sweep.load import load_sweep
    from sim.sweep.points import Points
    from sim.sweep.run import run_sweep
    from sim.sweep.space import Space
    from sim.sweep.stored import StoredSweeps
    from sim.sweep.study import require_sampler
    from sim.sweep.terminal import print_front, print_tally
    from sim.sweep.view import View

    sweep, described = load_sweep(file, set_ or ())
    space, folder, console = Space(sweep, described), out or Path("runs") / file_name(f"sweep_{sweep.name}"), Console()
    if sweep.mode == "search":
        require_sampler()
    if report:  # what cannot be written is refused before time is spent
        require_writer()
        refuse_foreign(folder)
    with StoredSweeps(store, make=True) as kept:
        with _workers(jobs or default_jobs(), ray) as workers, _progress() as progress:
            points = Points(space, kept, workers, progress, many=yes)
            said = kept.begin(space, resume=resume)
            if said is not None:
                console.print(said, soft_wrap=True, highlight=False, markup=False)
            tally = run_sweep(points)
        print_tally(tally, workers.count, console)
        view = View(kept, f"{sweep.name}@{space.identity}")
    print_front(view, console)
    if report:
        _write(view, folder, console)


@app.command("diff")
def diff(
    a: Annotated[str, typer.Argument(help=SWEEP_HELP, metavar="A")],
    b: Annotated[str, typer.Argument(help=SWEEP_HELP, metavar="B")],
    store: StorePath = STORE,
) -> None:
    """Compare two sweeps: their common points, and their fronts."""
    from rich.console import Console

    from sim.sweep.terminal import print_diff

    print_diff(_view(a, store), _view(b, store), Console())


def pareto(
    sweep: Annotated[str, typer.Argument(help=SWEEP_HELP, metavar="SWEEP")],
    store: StorePath = STORE,
    commands: Annotated[bool, typer.Option("--commands", help="Also the commands that run the points again.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write report and tables into this folder.")] = None,
) -> None:
    """Print the Pareto front of a sweep."""
    from rich.console import Console

    from sim.sweep.terminal import print_commands, print_front

    console, view = Console(), _view(sweep, store)
    print_front(view, console)
    if commands:
        print_commands(view, console)
    if out is not None:
        _write(view, out, console)


def _view(name: str, store: Path) -> View:
    """A stored sweep by its name, its file, or STORE:NAME."""
    from sim.sweep.load import load_sweep
    from sim.sweep.space import Space
    from sim.sweep.stored import StoredSweeps
    from sim.sweep.view import View

    file, colon, inner = name.rpartition(":")
    if colon and file.endswith(".sqlite"):
        store, name = Path(file), inner
    with StoredSweeps(store) as kept:
        if name.endswith((".yaml", ".yml")):
            name = kept.of_file(Space(*load_sweep(name)))
        view = View(kept, name)
    if not view.points:
        facts = {"mend": f"{program.name()} sweep run FILE --resume"}
        raise InputError(f"no point of {view.name} is done", place=Place(str(store)), facts=facts)
    return view


@contextmanager
def _workers(jobs: int, ray: str | None) -> Iterator[Any]:
    from sim.runs.cluster import RayWorkers
    from sim.runs.workers import LocalWorkers
    from sim.sweep.evaluate import compute

    with RayWorkers(ray, compute) if ray else LocalWorkers(jobs, compute) as workers:
        yield workers


def _write(view: View, folder: Path, console: Console) -> None:
    from sim.sweep.files import write

    write(view, folder)
    console.print(f"report and tables in {folder}", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar with rate and time left on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda tally: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]:.1f} points/s"),
        progress.TimeRemainingColumn(),
    )
    begin = time.perf_counter()
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweeping", total=None, rate=0.0)

        def show(tally: Tally) -> None:
            failed = f"sweeping, {tally.failed} failed" if tally.failed else "sweeping"
            failed += f", {tally.held} with another process" if tally.held else ""
            rate = tally.computed / (time.perf_counter() - begin)
            bar.update(task, completed=tally.done, total=tally.total, rate=rate, description=failed)

        yield show
