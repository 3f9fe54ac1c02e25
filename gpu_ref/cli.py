"""`sim.py gpu`: first contact with a card, its bundle, and recorded times anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help="GPU kernels: verify and time them on a card, show recorded times.", no_args_is_help=True)

Settings = Annotated[Path | None, typer.Option(help="What to measure; else gpu_ref/bench.yaml.")]


@app.command(name="first-contact")
def first_contact(
    out: Annotated[Path, typer.Option(help="Folder of the journal and the record.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="How long this sitting may take.")] = 25,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a folder that was cut short.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="A stage; may be repeated. Else all of them.")] = None,
    settings: Settings = None,
) -> None:
    """Verify and time everything on this machine's card; goes on after any failure."""
    from secrets import randbits

    from gpu_ref.contact.job import job
    from gpu_ref.contact.run import first_contact as run
    from gpu_ref.settings import FILE

    chosen = job(randbits(32), settings or FILE)
    if not run(chosen, out, minutes, resume=resume, stages=only or (), say=typer.echo):
        raise typer.Exit(1)


@app.command()
def bundle(
    out: Annotated[Path, typer.Argument(help="The archive, such as anda-gpu.tar.gz.", metavar="FILE")],
    architecture: Annotated[
        list[str] | None, typer.Option(help="Compile for it; may be repeated. Else sm_90a.")
    ] = None,
    marlin: Annotated[Path | None, typer.Option(help="MARLIN's source, to be timed beside ours; wants nvcc.")] = None,
    settings: Settings = None,
) -> None:
    """Pack all that first contact needs for a machine without a network: Python, NumPy and CuPy are enough there."""
    from secrets import randbits

    from gpu_ref.contact.bundle import pack
    from gpu_ref.contact.job import job
    from gpu_ref.settings import FILE

    chosen = job(randbits(32), settings or FILE)
    typer.echo(pack(chosen, out, architecture or ["sm_90a"], typer.echo, marlin))


@app.command()
def show(
    path: Annotated[
        Path | None, typer.Argument(help="A record; else the newest in results/gpu.", metavar="[RECORD or CARD]")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the figures to this page, too.")] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="What others measured instead: the cards, or the one that is named.")
    ] = False,
) -> None:
    """Print recorded measurements, ours or others'; needs no card."""
    from rich.console import Console

    from gpu_ref import record as records
    from gpu_ref.show import page, print_record

    console = Console()
    if reference:
        _show_reference(path, html, console)
        return
    chosen = path or records.newest()
    found = records.load(chosen)
    console.print(str(chosen), highlight=False)
    print_record(found, console)
    if html is not None:
        html.write_text(page(found), encoding="utf-8")


@app.command()
def predict(
    card: Annotated[str, typer.Argument(help="A100, H100, H200 or B200.")] = "H100",
    tokens: Annotated[
        list[int] | None, typer.Option(min=1, help="Rows of the GeMM; may be repeated. Else 1, 16, 64, 256, 2048.")
    ] = None,
    columns: Annotated[int, typer.Option(min=1, help="Outputs of the layer; LLaMA-2-70B's gate unless told.")] = 28672,
    depth: Annotated[int, typer.Option(min=1, help="Inputs of the layer.")] = 8192,
    record: Annotated[Path | None, typer.Option(help="Our own measurements of this card, beside the forecast.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the forecast in this file, as JSON.")] = None,
) -> None:
    """Forecast the kernels' times from their machine code and bytes, beside what was measured; needs no card."""
    from rich.console import Console

    from gpu_ref import record as records
    from gpu_ref.forecast import table
    from gpu_ref.forecast.silicon import find
    from gpu_ref.program import GemmShape

    name, silicon = find(card)
    if columns % 64 or depth % 128:
        facts = {
            "found": f"{columns} x {depth}",
            "needed": "columns in 64s and depth in 128s, as the kernels take them",
        }
        raise InputError("no kernel takes this layer", field="--columns, --depth", facts=facts)
    shapes = [GemmShape(count, columns, depth) for count in tokens or (1, 16, 64, 256, 2048)]
    measured = records.load(record) if record else None
    if measured is not None and name not in measured.device.name:
        raise InputError(
            "a record of another card", field=str(record), facts={"found": measured.device.name, "needed": name}
        )
    found = table.rows(name, silicon, shapes, (6, 8), measured)
    changed = sorted({row.kernel.split()[0] for row in found} & set(measured.changed_sources() if measured else ()))
    if changed:
        facts = {"changed since": ", ".join(changed), "needed": "a record of this version's kernels"}
        raise InputError("was measured with other kernels", field=str(record), facts=facts)
    table.print_rows(name, silicon, found, Console())
    if out is not None:
        table.write(table.as_dict(name, silicon, found), out)


def _show_reference(card: Path | None, html: Path | None, console: Console) -> None:
    from gpu_ref.reference.cards import find_card
    from gpu_ref.reference.show import print_card, print_cards

    if html is not None:
        raise InputError("the tables have no page; `compare --gpu` draws them", field="--html")
    if card is None:
        print_cards(console)
    else:
        print_card(find_card(str(card)), console)
