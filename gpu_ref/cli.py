"""`sim.py gpu`: verify and bench on a card, show what was recorded anywhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help="GPU kernels: verify and time them on a card, show recorded times.", no_args_is_help=True)

Seed = Annotated[int | None, typer.Option(min=0, help="Of the random inputs; without it, fresh ones.")]


@app.command()
def verify(
    seed: Seed = None,
    small: Annotated[bool, typer.Option("--small", help="Small shapes only, as under compute-sanitizer.")] = False,
) -> None:
    """Check every kernel on this machine's card against its golden model."""
    from secrets import randbits

    from gpu_ref.cupy_card import open_card
    from gpu_ref.verify import SHAPES, SMALL_SHAPES
    from gpu_ref.verify import verify as checks

    chosen = randbits(32) if seed is None else seed
    device = open_card()
    typer.echo(f"{device.card.name}, {device.card.architecture}, seed {chosen}")
    done, failed = 0, 0
    for check in checks(device, chosen, SMALL_SHAPES if small else SHAPES):
        done += 1
        if not check.passed:
            failed += 1
            sizes = f"{check.tokens} x {check.columns} x {check.depth}"
            typer.echo(
                f"FAILED {check.configuration} {sizes} {check.case}: {check.error}, allowed {check.limit}", err=True
            )
    typer.echo(f"{done - failed} of {done} checks passed")
    if failed:
        raise typer.Exit(1)


@app.command()
def bench(
    out: Annotated[Path | None, typer.Option(help="The record; else results/gpu/<card>-<date>.json.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with a record that was cut short.")] = None,
    settings: Annotated[Path | None, typer.Option(help="What to measure; else gpu_ref/bench.yaml.")] = None,
) -> None:
    """Verify and time the kernels on this machine's card, and record the results."""
    from gpu_ref import record as records
    from gpu_ref.bench import Bench, continued
    from gpu_ref.cupy_card import open_card
    from gpu_ref.settings import FILE, load_settings

    chosen = load_settings(settings or FILE)
    if out is not None and resume is not None:
        raise InputError("a record is either new or continued", field="--out, --resume")
    begun = records.load(resume) if resume else None
    device = open_card()
    path = resume or out or records.FOLDER / f"{_slug(device.card.name)}-{datetime.now(UTC):%Y-%m-%d}.json"
    if resume is None and path.exists():
        facts = {"needed": "--resume to go on with it, --out for another file"}
        raise InputError("the record exists", field=str(path), facts=facts)
    run = Bench(device, chosen, path, continued(begun, device, path) if begun else None)
    found = run.run(typer.echo)
    typer.echo(f"{len(found.rows)} measurements, {len(found.failures)} failures: {path}")
    if found.failures and not found.rows:
        raise typer.Exit(1)


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
    card: Annotated[str, typer.Argument(help="A100, H100 or H200.")] = "H100",
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
    from gpu_ref.program import Shape

    name, silicon = find(card)
    if columns % 64 or depth % 128:
        facts = {
            "found": f"{columns} x {depth}",
            "needed": "columns in 64s and depth in 128s, as the kernels take them",
        }
        raise InputError("no kernel takes this layer", field="--columns, --depth", facts=facts)
    shapes = [Shape(count, columns, depth) for count in tokens or (1, 16, 64, 256, 2048)]
    measured = records.load(record) if record else None
    if measured is not None and name not in measured.device.name:
        raise InputError(
            "a record of another card", field=str(record), facts={"found": measured.device.name, "needed": name}
        )
    found = table.rows(name, silicon, shapes, (6, 8), measured)
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


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
