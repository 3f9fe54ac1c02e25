"""Recorded measurements as a table and as figures; always with the card and the date they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpu_ref.program import GemmShape
from gpu_ref.record import BenchRecord, Row
from sim.report.figures.frame import Figure, axis, layout, words
from sim.report.quantities import percent, ratio, si

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A7A7A", "#000000")


def heading(record: BenchRecord) -> list[str]:
    """Card, date, ceilings; then what makes the record doubtful, if anything."""
    lines = [f"{record.device.name}, {record.started}, driver {record.versions.get('driver', 'unknown')}"]
    if record.ceilings is not None:
        bandwidth = si(record.ceilings.bytes_per_second, "B/s")
        peak = si(record.ceilings.fp16_operations_per_second, "FLOP/s")
        lines.append(f"measured ceilings: {bandwidth}, {peak} FP16")
    failed = sum(not one.passed for one in record.checks)
    lines.append(f"verified against the golden models: {len(record.checks) - failed} of {len(record.checks)}")
    if not record.complete:
        lines.append("incomplete: the run ended before everything was measured")
    if record.failures:
        lines.append(f"{len(record.failures)} measurements failed; the first: {record.failures[0].message}")
    changed = record.changed_sources()
    if changed:
        lines.append(f"kernels changed since: {', '.join(changed)}")
    return lines


def layer_shapes(record: BenchRecord) -> list[tuple[int, int]]:
    """(columns, depth) in the order of measurement."""
    return list(dict.fromkeys((row.columns, row.depth) for row in record.rows))


def print_record(record: BenchRecord, console: Console) -> None:
    """One table a layer: kernels by number of tokens."""
    from rich.text import Text

    console.print()
    for line in heading(record):
        console.print(Text(line))
    for columns, depth in layer_shapes(record):
        console.print()
        rows = [row for row in record.rows if (row.columns, row.depth) == (columns, depth)]
        console.print(Text(f"{columns} columns x {depth} depth: {', '.join(rows[0].layers)}", style="bold"))
        console.print(_table(rows))
    console.print()


def _table(rows: list[Row]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("tokens", "time", "quartiles", "FP16 x", "roofline", "limit", "rate", "energy"):
        table.add_column(name, justify="right")
    table.add_column("kernel", overflow="fold")
    for row in sorted(rows, key=lambda row: (row.tokens, row.median_seconds)):
        table.add_row(
            str(row.tokens),
            si(row.median_seconds, "s"),
            f"{si(row.lower_quartile_seconds, 's')}..{si(row.upper_quartile_seconds, 's')}",
            "" if row.speedup_over_fp16 is None else ratio(row.speedup_over_fp16),
            percent(row.roofline_share),
            row.limited_by,
            si(row.operations_per_second, "OP/s"),
            "" if row.energy_joules is None else si(row.energy_joules, "J"),
            f"{row.kernel}{' *' if row.is_choice else ''}{' (emulated)' if row.instruction == 'emulated' else ''}",
        )
    return table


def speedup_figure(record: BenchRecord, columns: int, depth: int) -> Figure:
    """Speedup over FP16 against tokens, for one layer; dotted, what each kernel's roofline allows."""
    rows = [row for row in record.rows if (row.columns, row.depth) == (columns, depth)]
    fp16 = {row.tokens: row for row in rows if row.source == "fp16"}
    traces: list[dict[str, Any]] = []
    for index, name in enumerate(dict.fromkeys(_line(row) for row in rows if row.tokens in fp16)):
        mine = sorted((row for row in rows if _line(row) == name and row.tokens in fp16), key=lambda row: row.tokens)
        colour, tokens = _COLOURS[index % len(_COLOURS)], [row.tokens for row in mine]
        measured = [fp16[row.tokens].median_seconds / row.median_seconds for row in mine]
        allowed = [fp16[row.tokens].roofline_seconds / row.roofline_seconds for row in mine]
        traces.append(_trace(name, tokens, measured, {"color": colour}, "lines+markers"))
        traces.append(_trace(f"{name}, roofline", tokens, allowed, {"color": colour, "dash": "dot"}, "lines"))
    return {
        "data": traces,
        "layout": layout(
            460,
            xaxis=axis("tokens", type="log", dtick=0.30103),
            yaxis=axis("speedup over FP16 on this card", rangemode="tozero", ticksuffix="x"),
        ),
    }


def _line(row: Row) -> str:
    """What a line of the figure joins: the same kernel, whichever its tiling."""
    return row.kernel


def _trace(name: str, x: list[int], y: list[float], line: dict[str, str], mode: str) -> dict[str, Any]:
    return {"type": "scatter", "name": words(name), "x": x, "y": y, "line": line, "mode": mode}


def page(record: BenchRecord) -> str:
    """A self-contained HTML page with a figure a layer."""
    import plotly.io

    parts = ["<!doctype html><meta charset='utf-8'><title>GPU kernels</title><body style='font-family:sans-serif'>"]
    parts += [f"<p>{words(line)}</p>" for line in heading(record)]
    for index, (columns, depth) in enumerate(layer_shapes(record)):
        names = ", ".join(record.rows_for(_first_shape(record, columns, depth))[0].layers)
        parts.append(f"<h2>{columns} columns x {depth} depth: {words(names)}</h2>")
        script: bool | str = index == 0
        parts.append(
            plotly.io.to_html(speedup_figure(record, columns, depth), full_html=False, include_plotlyjs=script)
        )
    return "\n".join(parts)


def _first_shape(record: BenchRecord, columns: int, depth: int) -> GemmShape:
    return next(row.shape for row in record.rows if (row.columns, row.depth) == (columns, depth))
