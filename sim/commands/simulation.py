"""`run` and `compare`: simulate, show, and leave the results in a folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.commands import options as shared
from sim.errors import InputError, nearest_name

if TYPE_CHECKING:
    from gpu_ref.beside.comparison import Beside, Request
    from sim.arch.schema import Arch
    from sim.machine.assembly import Options
    from sim.mapping.plan import Plan
    from sim.result import Result
    from sim.runs.runs import Progress
    from sim.workload.gemm import Gemm

GRAINS = ("tile", "beat")
LENGTHS = (4, 5, 6, 8, 11)
"""Mantissa lengths whose values are plotted."""
SCHEDULES = ("given", "best", "best-cycles", "best-dram-bytes", "best-energy", "both")


def run(
    arch: shared.Arch,
    workload: shared.Work,
    phase: shared.Phase = None,
    tokens: shared.Tokens = None,
    batch: shared.Batch = None,
    chunk: shared.Chunk = None,
    context: shared.Context = None,
    steps: shared.StepCount = None,
    scope: shared.Scope = None,
    precision: shared.Precision = None,
    schedule: shared.BlockSchedule = "given",
    set_: shared.Set = None,
    set_workload: shared.SetWork = None,
    grain: shared.Grain = "tile",
    fast_forward: shared.FastForward = True,
    verify: shared.Verify = False,
    jobs: shared.Jobs = None,
    trace: Annotated[bool, typer.Option("--trace", help="Write trace.json for ui.perfetto.dev (one process).")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Compute the tensors of a trace too, as the machine does, against FP16.")
    ] = False,
    out: shared.Out = None,
    overwrite: shared.Overwrite = False,
    report: shared.Page = True,
    json_: shared.Json = False,
) -> None:
    """Simulate a workload on a machine."""
    from sim.arch.load import load_arch

    _simulate(
        [load_arch(arch, set_ or ())],
        workload,
        _asked(phase, tokens, batch, chunk, context, steps, scope, precision, set_workload),
        _how(grain, fast_forward, verify),
        schedule,
        Outcome(out, overwrite, report, json_, trace, values=values),
        jobs,
    )


def compare(
    archs: Annotated[list[str], typer.Argument(help="Machines; the first is the baseline.", metavar="ARCH...")],
    workload: Annotated[str, typer.Option(help="What all of them run; see `run`.")],
    phase: shared.Phase = None,
    tokens: shared.Tokens = None,
    batch: shared.Batch = None,
    chunk: shared.Chunk = None,
    context: shared.Context = None,
    steps: shared.StepCount = None,
    scope: shared.Scope = None,
    precision: shared.Precision = None,
    schedule: shared.BlockSchedule = "given",
    set_: shared.Set = None,
    set_workload: shared.SetWork = None,
    grain: shared.Grain = "tile",
    fast_forward: shared.FastForward = True,
    verify: shared.Verify = False,
    jobs: shared.Jobs = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="A measured GPU to set beside them: A100, H100, H200, B200, or a record of `gpu bench`."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="With --gpu: as many of each machine; a number, or as equals the card: bandwidth, peak, area."
        ),
    ] = None,
    out: shared.Out = None,
    overwrite: shared.Overwrite = False,
    report: shared.Page = True,
    json_: shared.Json = False,
) -> None:
    """Simulate a workload on several machines and compare them with the first."""
    from sim.arch.load import load_arch

    _simulate(
        [load_arch(arch, set_ or ()) for arch in archs],
        workload,
        _asked(phase, tokens, batch, chunk, context, steps, scope, precision, set_workload),
        _how(grain, fast_forward, verify),
        schedule,
        Outcome(out, overwrite, report, json_, gpu=gpu, scale=scale),
        jobs,
    )


@dataclass(frozen=True)
class Outcome:
    """What becomes of the results."""

    out: Path | None
    overwrite: bool
    with_page: bool
    as_json: bool
    trace: bool = False
    gpu: str | None = None
    scale: str | None = None
    values: bool = False


def _simulate(
    machines: list[Arch],
    workload: str,
    asked: dict[str, Any],
    how: Options,
    schedule: str,
    outcome: Outcome,
    jobs: int | None,
) -> None:
    from sim.report.comparison import labels
    from sim.report.files import fill_comparison, fill_run
    from sim.report.folder import new_folder
    from sim.report.perfetto import TraceWriter
    from sim.runs.workers import default_jobs
    from sim.simulation import simulate_all
    from sim.units import processing_element
    from sim.workload.load import load_workload

    work = load_workload(workload, **asked)
    gpu = _gpu(outcome)
    machines = _scheduled(machines, schedule)
    if outcome.values:
        processing_element.make(machines[0]).require_values()
    name = machines[0].name if len(machines) == 1 else "compare"
    folder = outcome.out or _free(Path("runs") / f"{name}_{work.name}")
    with new_folder(folder, outcome.overwrite) as inside:
        with TraceWriter(inside / "trace.json") if outcome.trace else nullcontext() as tracer, _progress() as progress:
            results = simulate_all(
                machines, work, options=how, jobs=jobs or default_jobs(), tracer=tracer, progress=progress
            )
        command = " ".join(["sim.py", *sys.argv[1:]])
        results = [replace(result, provenance=replace(result.provenance, command=command)) for result in results]
        beside = gpu.answer(results, labels(results)) if gpu else None
        computed = _values(machines[0], Path(workload), work.precision, inside) if outcome.values else None
        if len(results) == 1:
            fill_run(results[0], inside, with_page=outcome.with_page)
        else:
            fill_comparison(results, inside, with_page=outcome.with_page, added=beside.sections() if beside else ())
        if beside:
            beside.write(inside)
    _show(results, folder, outcome.as_json, beside, computed)


def _values(arch: Arch, trace_folder: Path, precision: Any, folder: Path) -> Any:
    """Compute a trace's GeMMs as the machine does: values.json and values.html, and the figures by module."""
    from sim.functional.replay import by_length, by_module, replay
    from sim.machine.machine import Machine
    from sim.report.values import value_rows, values_page
    from sim.runs.best_schedule import blocks_of
    from sim.workload.trace_file import open_trace

    trace, machine = open_trace(trace_folder), Machine(arch)

    def plan_of(gemm: Gemm) -> Plan:
        return blocks_of(machine.piece(gemm)).plan()

    replayed = list(replay(trace, machine.pe, plan_of, precision))
    (folder / "values.json").write_text(json.dumps(value_rows(replayed), indent=1), encoding="utf-8")
    qualities = by_module(replayed)
    lengths = LENGTHS if machine.pe.encoded else ()
    page = values_page(f"{arch.name} on {trace_folder.name}", by_length(trace, machine.pe, plan_of, lengths))
    if lengths:
        (folder / "values.html").write_text(page, encoding="utf-8")
    return qualities


def _gpu(outcome: Outcome) -> Request | None:
    """What `--gpu` asks for, refused before time is spent on simulating."""
    if outcome.gpu is None:
        if outcome.scale is not None:
            raise InputError("needs a card to scale to", field="--scale", facts={"needed": "--gpu H100, or its like"})
        return None
    from gpu_ref.beside.comparison import request

    return request(outcome.gpu, outcome.scale)


def _asked(
    phase: str | None,
    tokens: int | None,
    batch: int | None,
    chunk: int | None,
    context: int | None,
    steps: int | None,
    scope: str | None,
    precision: str | None,
    overrides: list[str] | None,
) -> dict[str, Any]:
    """The options of a workload, as `load_workload` takes them."""
    return {
        "phase": phase,
        "tokens": tokens,
        "batch": batch,
        "chunk": chunk,
        "context": context,
        "steps": steps,
        "scope": scope,
        "precision": precision,
        "overrides": overrides or (),
    }


def _scheduled(machines: list[Arch], schedule: str) -> list[Arch]:
    """The machines with the schedule asked for; `both` puts each beside itself with the best one."""
    if schedule not in SCHEDULES:
        raise InputError(
            f"found {schedule!r}",
            field="--schedule",
            nearest=nearest_name(schedule, SCHEDULES),
            facts={"allowed": ", ".join(SCHEDULES)},
        )
    if schedule == "given":
        return machines
    best = "best" if schedule == "both" else schedule
    searched = [arch.model_copy(update={"schedule": best, "name": f"{arch.name}+{best}"}) for arch in machines]
    if schedule != "both":
        return searched
    return [machine for pair in zip(machines, searched, strict=True) for machine in pair]


def _how(grain: str, fast_forward: bool, verify: bool) -> Options:
    from sim.machine.assembly import Options

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


def _show(results: list[Result], folder: Path, as_json: bool, beside: Beside | None, computed: Any) -> None:
    if as_json:
        from sim.result.json import as_data

        told = [as_data(result) for result in results]
        value = told[0] if len(told) == 1 else told
        json.dump(value if beside is None else {"results": value, "gpu": beside.as_dict()}, sys.stdout)
        sys.stdout.write("\n")
        return
    from rich.console import Console

    from sim.report.terminal import print_comparison, print_run

    console = Console()
    if len(results) == 1:
        print_run(results[0], console)
    else:
        print_comparison(results, console)
    if computed is not None:
        from sim.report.values import print_values

        print_values(computed, console)
    if beside is not None:
        beside.show(console)
    console.print(f"results in {folder}", soft_wrap=True, highlight=False, markup=False)
