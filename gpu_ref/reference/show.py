"""The measured tables in a terminal: the cards and their error bars, or the times of one card."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gpu_ref.reference.cards import TabulatedCard, shipped
from gpu_ref.reference.estimate import error_bars
from gpu_ref.reference.gemm import LARGEST, SMALLEST
from gpu_ref.reference.tables import FRAMEWORKS, ORIGIN, TYPES, gemm_tables, types_of
from sim.report.quantities import si

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

TOKENS = (1, 16, 64, 256, 2048)
"""Columns of a card's tables; all others that were measured can be asked for, too."""


def print_cards(console: Console) -> None:
    """Every card, what was measured on it, and how far the tables are off between their rows."""
    console.print(_text("GPUs as others measured them", "bold"))
    console.print(_text(ORIGIN))
    cards = shipped().cards
    table = _table("card", ("bandwidth", "BF16 peak", "TDP", "die, mm2", "transistors"), "node")
    for name, card in cards.items():
        table.add_row(name, *_card_cells(card))
    console.print()
    console.print(table)
    console.print()
    console.print(_text("Error of held-out rows, median / 95 %", "bold"))
    kinds = (*TYPES, "prefill", "decode")
    bars = _table("card", kinds)
    for name in cards:
        bars.add_row(name, *(str(error_bars()[name].get(kind, "")) for kind in kinds))
    console.print(bars)
    console.print()
    _print_rules(console)


def print_card(name: str, console: Console) -> None:
    """What a card is, with sources, and its measured GeMMs."""
    card = shipped().cards[name]
    console.print(_text(card.product, "bold"))
    console.print(_text(f"measured by others: {ORIGIN}"))
    for key, figure, unit in (("DRAM", card.bytes_per_second, "B/s"), ("TDP", card.power_watts, "W")):
        console.print(_text(f"{key}: {si(figure.value, unit)} ({figure.source})"))
    peaks = card.operations_per_second
    shown = ", ".join(f"{operand} {si(card.peak(operand), 'OP/s')}" for operand in _operands(card))
    console.print(_text(f"dense peaks: {shown} ({peaks.source})"))
    area = "unpublished" if card.die.area_square_millimetres is None else f"{card.die.area_square_millimetres:.0f} mm2"
    silicon = f"{area}, {si(card.die.transistors)} transistors"
    console.print(_text(f"die: {card.die.name}, {card.die.node}, {silicon} ({card.die.source})"))
    for kind in types_of(name):
        console.print()
        bar = error_bars()[name][kind]
        console.print(_text(f"{kind}, {FRAMEWORKS[name][kind]}; held-out rows are off by {bar}", "bold"))
        count = len(gemm_tables()[name, kind].shapes())
        console.print(_text(f"{TYPES[kind].about}; of {count} shapes, those of powers of two:"))
        console.print(_times(name, kind))
    console.print()
    _print_rules(console)


def _print_rules(console: Console) -> None:
    console.print(
        _text(
            f"Between rows: log-log in n and k, {SMALLEST:,} to {LARGEST:,}; tokens m only where measured. Attention: "
            "head size 128, 16-bit cache, log-log in tokens. Else refused."
        )
    )


def _times(card: str, kind: str) -> Table:
    """Times by shape and tokens; of all shapes those that are powers of two."""
    measured = gemm_tables()[card, kind]
    table = _table("n x k", [f"m = {m:,}" for m in TOKENS])
    for n, k in sorted(shape for shape in measured.shapes() if _of_powers_of_two(shape)):
        times = (measured.seconds[m].get((n, k)) for m in TOKENS)
        table.add_row(f"{n:,} x {k:,}", *("" if time is None else si(time, "s") for time in times))
    return table


def _of_powers_of_two(shape: tuple[int, int]) -> bool:
    return all(size & (size - 1) == 0 for size in shape)


def _card_cells(card: TabulatedCard) -> tuple[str, ...]:
    area = card.die.area_square_millimetres
    return (
        si(card.bytes_per_second.value, "B/s"),
        si(card.peak("bfloat16"), "OP/s"),
        si(card.power_watts.value, "W"),
        "unknown" if area is None else f"{area:.0f}",
        si(card.die.transistors),
        card.die.node,
    )


def _operands(card: TabulatedCard) -> list[str]:
    given = card.operations_per_second
    return [name for name in ("bfloat16", "fp8", "fp4") if getattr(given, name) is not None]


def _table(first: str, numbers: Iterable[str], last: str | None = None) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    if last:
        table.add_column(last)
    return table


def _text(words: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(words, style)
