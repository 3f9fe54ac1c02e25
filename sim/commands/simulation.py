"""`run` and `compare`: simulate, show, and leave the results in a folder."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim import program
from sim.commands import options as shared
from sim.errors import InputError, nearest_name

if TYPE_CHECKING:
    from sim.arch.schema import Arch
    from sim.machine.assembly import SimulationOptions
    from sim.mapping.plan import Plan
    from sim.report.exporter import Exporter
    from sim.report.sections import PageSection
    from sim.result import Result
    from sim.runs.runs import Progress, Tracer
    from sim.units.unit import Grain
    from sim.workload.gemm import Gemm

GRAINS = ("tile", "beat")
LENGTHS = (4, 5, 6, 8, 11)
"""Mantissa lengths whose values are plotted."""
SCHEDULES = ("given", "best", "best-cycles", "best-dram-bytes", "best-energy", "best-energy-delay", "both")


@shared.grouped
def run(
    arch: shared.Arch,
    workload: shared.Work,
    asked: shared.Asked,
    how: shared.How,
    kept: shared.Kept,
    trace: Annotated[bool, typer.Option("--trace", help="Write trace.json for ui.perfetto.dev (one process).")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Compute the tensors of a trace too, as the machine does, against FP16.")
    ] = False,
    dump: Annotated[
        bool, typer.Option("--dump", help="With the values, also keep every operand, accumulator and output.")
    ] = False,
) -> None:
    """Simulate a workload on a machine."""
    from sim.arch.load import load_arch

    _simulate(
        [load_arch(arch, how.set_ or ())], workload, asked, how, kept, trace=trace, values=values or dump, dump=dump
    )


@shared.grouped
def compare(
    archs: Annotated[list[str], typer.Argument(help="Machines; the first is the baseline.", metavar="ARCH...")],
    workload: Annotated[str, typer.Option(help="What all of them run; see `run`.")],
    asked: shared.Asked,
    how: shared.How,
    kept: shared.Kept,
    gpu: Annotated[
        str | None,
        typer.Option(help="A measured GPU beside them: A100, H100, H200, B200, or a record of `gpu first-contact`."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="With --gpu: as many of each machine; a number, or as equals the card: bandwidth, peak, area."
        ),
    ] = None,
) -> None:
    """Simulate a workload on several machines and compare them with the first."""
    from sim.arch.load import load_arch

    _simulate([load_arch(arch, how.set_ or ()) for arch in archs], workload, asked, how, kept, gpu=(gpu, scale))


def _simulate(
    machines: list[Arch],
    workload: str,
    asked: shared.Asked,
    how: shared.How,
    kept: shared.Kept,
    *,
    trace: bool = False,
    values: bool = False,
    dump: bool = False,
    gpu: tuple[str | None, str | None] = (None, None),
) -> None:
    from sim.report.exporter import USUAL, exporters
    from sim.report.files import fill
    from sim.report.folder import file_name, new_folder
    from sim.report.sections import page_sections, sections_of
    from sim.runs.jobs import default_jobs
    from sim.simulation import simulate_all
    from sim.units import processing_element
    from sim.workload.load import load_workload

    options, work = _options(how), load_workload(workload, **{**vars(asked), "overrides": asked.overrides or ()})
    usual = [name for name in USUAL if name != "page" or kept.report]
    formats = exporters([*usual, *(["trace"] if trace else []), *(kept.export or ())])
    plugged = [*page_sections(), *([_asked_for("gpu", *gpu)] if gpu != (None, None) else [])]
    machines = _scheduled(machines, how.schedule)
    if how.stream:
        from sim.report.streamed import StreamedSection

        plugged.append(StreamedSection(machines, work, options))
    if values:
        processing_element.make(machines[0]).require_values()
    if dump:
        from sim.functional.dump import check

        check(machines[0].mxu)
    name = machines[0].name if len(machines) == 1 else "compare"
    folder = kept.out or _free(Path("runs") / file_name(f"{name}_{work.name}"))
    with new_folder(folder, kept.overwrite) as inside:
        with _recording(formats, inside) as tracer, _progress() as progress:
            jobs = how.jobs or default_jobs()
            results = simulate_all(machines, work, options=options, jobs=jobs, tracer=tracer, progress=progress)
        command = shlex.join([*program.name().split(), *sys.argv[1:]])
        results = [replace(result, provenance=replace(result.provenance, command=command)) for result in results]
        sections = sections_of(plugged, results)
        computed = _values(machines[0], Path(workload), work.plan, inside, dump) if values else None
        fill(results, inside, formats, sections=sections)
        for section in plugged:
            section.write(inside)
    _show(results, folder, kept.json_, plugged, computed)


@contextmanager
def _recording(formats: Sequence[Exporter], folder: Path) -> Iterator[Tracer | None]:
    """The recorders of all exporters that have one, as one."""
    from sim.report.exporter import Recorders

    with ExitStack() as stack:
        recorders = [stack.enter_context(exporter.recorder(folder)) for exporter in formats]
        wanted = [recorder for recorder in recorders if recorder is not None]
        yield Recorders(wanted) if wanted else None


def _asked_for(name: str, *texts: str | None) -> PageSection:
    """A part of the page that plugs in, made with the texts of its options."""
    from sim.report.sections import FIGURES

    section = FIGURES.find(name)
    if section is None:
        raise InputError(f"no figure {name!r} is installed", field=f"--{name}")
    return section(*texts)


def _values(arch: Arch, trace_folder: Path, precision: Any, folder: Path, dump: bool) -> Any:
    """Compute a trace's GeMMs as the machine does: values.json, values.html, a dump, and the figures by module."""
    from sim.functional.dump import ValueDump
    from sim.functional.replay import by_length, by_module, replay
    from sim.machine.machine import Machine
    from sim.report.values import value_rows, values_page
    from sim.runs.best_schedule import blocks_of
    from sim.runs.code import made_by
    from sim.workload.trace_file import open_trace

    trace, machine = open_trace(trace_folder), Machine(arch)

    def plan_of(gemm: Gemm) -> Plan:
        return blocks_of(machine.piece(gemm)).plan()

    kept = ValueDump(folder / "dump", arch.mxu, made_by()) if dump else None
    replayed = list(replay(trace, machine.pe, plan_of, precision, kept))
    (folder / "values.json").write_text(json.dumps(value_rows(replayed), indent=1), encoding="utf-8")
    qualities = by_module(replayed)
    lengths = LENGTHS if machine.pe.encoded else ()
    page = values_page(f"{arch.name} on {trace_folder.name}", by_length(trace, machine.pe, plan_of, lengths))
    if lengths:
        (folder / "values.html").write_text(page, encoding="utf-8")
    return qualities


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


def _options(how: shared.How) -> SimulationOptions:
    from sim.machine.assembly import SimulationOptions

    return SimulationOptions(checked_grain(how.grain), how.fast_forward, how.verify)


def checked_grain(grain: str) -> Grain:
    """What --grain says, refused where it is none."""
    if grain not in GRAINS:
        raise InputError(
            f"found {grain!r}",
            field="--grain",
            nearest=nearest_name(grain, GRAINS),
            facts={"allowed": ", ".join(GRAINS)},
        )
    return "beat" if grain == "beat" else "tile"


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


def _show(results: list[Result], folder: Path, as_json: bool, plugged: list[PageSection], computed: Any) -> None:
    if as_json:
        from sim.result.json import as_data

        told = [as_data(result) for result in results]
        value = told[0] if len(told) == 1 else told
        beside = {section.name: data for section in plugged if (data := section.data()) is not None}
        json.dump({"results": value, **beside} if beside else value, sys.stdout)
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
    for section in plugged:
        section.show(console)
    console.print(f"results in {folder}", soft_wrap=True, highlight=False, markup=False)
