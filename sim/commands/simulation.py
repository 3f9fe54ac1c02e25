"""`run` and `compare`: simulate, show, and leave the results in a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.commands import options as shared
from sim.errors import InputError, nearest_name

if TYPE_CHECKING:
    from sim.assembly import Options
    from sim.simulate import Progress

GRAINS = ("tile", "beat")


def run(
    arch: shared.Arch,
    workload: shared.Work,
    phase: shared.Phase = None,
    tokens: shared.Tokens = None,
    batch: shared.Batch = None,
    context: shared.Context = None,
    steps: shared.StepCount = None,
    scope: shared.Scope = None,
    precision: shared.Precision = None,
    set_: shared.Set = None,
    set_workload: shared.SetWork = None,
    grain: shared.Grain = "tile",
    fast_forward: shared.FastForward = True,
    verify: shared.Verify = False,
    jobs: shared.Jobs = None,
    trace: Annotated[bool, typer.Option("--trace", help="Write trace.json for ui.perfetto.dev (one process).")] = False,
    out: shared.Out = None,
    overwrite: shared.Overwrite = False,
    report: shared.Page = True,
    json_: shared.Json = False,
) -> None:
    """Simulate a workload on a machine."""
    from sim.arch.load import load_arch
    from sim.report.files import fill_run
    from sim.report.folder import new_folder
    from sim.report.perfetto import TraceWriter
    from sim.simulate import default_jobs, simulate
    from sim.workload.load import load_workload

    machine = load_arch(arch, set_ or ())
    work = load_workload(
        workload,
        phase=phase,
        tokens=tokens,
        batch=batch,
        context=context,
        steps=steps,
        scope=scope,
        precision=precision,
        overrides=set_workload or (),
    )
    how = _how(grain, fast_forward, verify)
    folder = out or _free(Path("runs") / f"{machine.name}_{work.name}")
    with new_folder(folder, overwrite) as inside:
        with TraceWriter(inside / "trace.json") if trace else nullcontext() as tracer, _progress() as progress:
            result = simulate(machine, work, options=how, jobs=jobs or default_jobs(), tracer=tracer, progress=progress)
        result["provenance"]["command"] = _command()
        fill_run(result, inside, with_page=report)  # type: ignore[arg-type]
    _show([result], folder, json_)


def compare(
    archs: Annotated[list[str], typer.Argument(help="Machines; the first is the baseline.", metavar="ARCH...")],
    workload: Annotated[str, typer.Option(help="What all of them run; see `run`.")],
    phase: shared.Phase = None,
    tokens: shared.Tokens = None,
    batch: shared.Batch = None,
    context: shared.Context = None,
    steps: shared.StepCount = None,
    scope: shared.Scope = None,
    precision: shared.Precision = None,
    set_: shared.Set = None,
    set_workload: shared.SetWork = None,
    grain: shared.Grain = "tile",
    fast_forward: shared.FastForward = True,
    verify: shared.Verify = False,
    jobs: shared.Jobs = None,
    out: shared.Out = None,
    overwrite: shared.Overwrite = False,
    report: shared.Page = True,
    json_: shared.Json = False,
) -> None:
    """Simulate a workload on several machines and compare them with the first."""
    from sim.arch.load import load_arch
    from sim.report.files import fill_comparison
    from sim.report.folder import new_folder
    from sim.simulate import default_jobs, simulate_all
    from sim.workload.load import load_workload

    machines = [load_arch(arch, set_ or ()) for arch in archs]
    work = load_workload(
        workload,
        phase=phase,
        tokens=tokens,
        batch=batch,
        context=context,
        steps=steps,
        scope=scope,
        precision=precision,
        overrides=set_workload or (),
    )
    how = _how(grain, fast_forward, verify)
    folder = out or _free(Path("runs") / f"compare_{work.name}")
    with new_folder(folder, overwrite) as inside:
        with _progress() as progress:
            results = simulate_all(machines, work, options=how, jobs=jobs or default_jobs(), progress=progress)
        for result in results:
            result["provenance"]["command"] = _command()
        fill_comparison(results, inside, with_page=report)  # type: ignore[arg-type]
    _show(results, folder, json_)


def _how(grain: str, fast_forward: bool, verify: bool) -> Options:
    from sim.assembly import Options

    if grain not in GRAINS:
        raise InputError(
            f"found {grain!r}",
            field="--grain",
            nearest=nearest_name(grain, GRAINS),
            facts={"allowed": ", ".join(GRAINS)},
        )
    return Options("beat" if grain == "beat" else "tile", fast_forward, verify)


def _free(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3 ... that does not exist."""
    candidates = (folder if n == 1 else folder.with_name(f"{folder.name}-{n}") for n in range(1, sys.maxsize))
    return next(candidate for candidate in candidates if not candidate.exists())


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=f"simulated {name}")


def _command() -> str:
    return " ".join(["sim.py", *sys.argv[1:]])


def _show(results: list[dict], folder: Path, as_json: bool) -> None:  # type: ignore[type-arg]
    if as_json:
        json.dump(results[0] if len(results) == 1 else results, sys.stdout)
        sys.stdout.write("\n")
        return
    from rich.console import Console

    from sim.report.terminal import print_comparison, print_run

    console = Console()
    if len(results) == 1:
        print_run(results[0], console)  # type: ignore[arg-type]
    else:
        print_comparison(results, console)  # type: ignore[arg-type]
    console.print(f"results in {folder}", soft_wrap=True, highlight=False, markup=False)
