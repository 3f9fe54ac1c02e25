"""Simulated machines beside measured kernels, on the GeMMs that both have.

roofline     the larger of operations / peak and bytes / bandwidth; bytes: weights, activations and outputs once each
share        roofline seconds / seconds
speedup      over the platform's own FP16 baseline: the card's FP16 product, the baseline among the machines
normalised   seconds with every platform scaled to the card's bandwidth, and its FP16 baseline to the card's FP16 peak:
             the roofline so scaled / share
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gpu_ref import show
from gpu_ref.program import Shape
from gpu_ref.record import Ceilings, Record, Row
from sim.errors import InputError
from sim.formats import block_float, int4
from sim.report.figures.frame import Figure, words
from sim.report.quantities import percent, ratio, si
from sim.result import Layer, Result

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Entry:
    """One platform's way with one GeMM; energy None where it was not read."""

    platform: str
    kernel: str
    shape: Shape
    mantissa_bits: int | None
    seconds: float
    roofline_seconds: float
    normalised_seconds: float
    energy_joules: float | None
    speedup_over_fp16: float | None = None

    @property
    def operations_per_second(self) -> float:
        return self.shape.operations / self.seconds

    @property
    def roofline_share(self) -> float:
        return self.roofline_seconds / self.seconds


def compare(results: Sequence[Result], labels: Sequence[str], record: Record, baseline: int = 0) -> list[Entry]:
    """Entries of all platforms, GeMM by GeMM, the machines first.

    Parameters
    ----------
    results
        Results of `sim.simulation`, of the same workload.
    labels
        Their names, as `sim.report.comparison.labels` makes them.
    record
        Measurements of one card.
    baseline
        The machine that is the FP16 baseline of all machines.

    Raises
    ------
    InputError
        Where the record has none of the machines' GeMMs, or no ceilings.
    """
    if record.ceilings is None:
        raise InputError("the record has no measured ceilings, so no roofline can be drawn")
    measured = {row.shape for row in record.rows}
    layers = [_layers(result) for result in results]
    shared = [shape for shape in layers[baseline] if shape in measured]
    if not shared:
        facts = {
            "simulated": _listed(layers[baseline]),
            "measured": _listed(sorted(measured, key=lambda s: (s.tokens, s.columns))),
        }
        raise InputError(f"no GeMM was both simulated and measured on {record.device.name}", facts=facts)
    entries: list[Entry] = []
    for shape in shared:
        machines = [
            _simulated(label, shape, result, found[shape], results[baseline], record.ceilings)
            for label, result, found in zip(labels, results, layers, strict=True)
            if shape in found
        ]
        entries += _relative(machines, layers[baseline][shape].cycles / results[baseline].clock_hertz)
        rows = record.rows_for(shape)
        fp16 = next((row.median_seconds for row in rows if row.source == "fp16"), None)
        entries += _relative([_measured(row, record.device.name) for row in rows], fp16)
    return entries


def _layers(result: Result) -> dict[Shape, Layer]:
    """The GeMMs of a result, each shape once."""
    found: dict[Shape, Layer] = {}
    for layer in result.layers:
        if layer.m is not None and layer.n is not None and layer.k is not None:
            found.setdefault(Shape(layer.m, layer.n, layer.k), layer)
    return found


def _simulated(label: str, shape: Shape, result: Result, layer: Layer, base: Result, card: Ceilings) -> Entry:
    clock, cycles = result.clock_hertz, layer.cycles
    peak = 2 * layer.peak_macs_per_cycle * clock
    bandwidth = result.peak.dram_bytes_per_cycle * clock
    moved = least_bytes(shape, layer.mantissa_bits)
    bound = max(shape.operations / peak, moved / bandwidth)
    base_peak = 2 * base.peak.macs_per_cycle * base.clock_hertz
    scaled_peak = peak * card.fp16_operations_per_second / base_peak
    scaled_bound = max(shape.operations / scaled_peak, moved / card.bytes_per_second)
    return Entry(
        platform=label,
        kernel="simulated",
        shape=shape,
        mantissa_bits=layer.mantissa_bits,
        seconds=cycles / clock,
        roofline_seconds=bound,
        normalised_seconds=scaled_bound * (cycles / clock) / bound,
        energy_joules=layer.energy_picojoules * 1e-12,
    )


def least_bytes(shape: Shape, mantissa_bits: int | None) -> float:
    """INT4 weights, activations in FP16 or Anda, FP16 outputs: each once."""
    activation_bits = 16 if mantissa_bits is None else float(block_float.bits_a_value(mantissa_bits))
    bits = (
        shape.columns * shape.depth * float(int4.bits_a_value())
        + shape.tokens * shape.depth * activation_bits
        + shape.tokens * shape.columns * 16
    )
    return bits / 8


def _measured(row: Row, card: str) -> Entry:
    return Entry(
        platform=card,
        kernel=row.kernel,
        shape=row.shape,
        mantissa_bits=row.mantissa_bits,
        seconds=row.median_seconds,
        roofline_seconds=row.roofline_seconds,
        normalised_seconds=row.median_seconds,
        energy_joules=row.energy_joules,
    )


def _relative(entries: list[Entry], fp16_seconds: float | None) -> list[Entry]:
    if fp16_seconds is None:
        return entries
    return [replace(entry, speedup_over_fp16=fp16_seconds / entry.seconds) for entry in entries]


def _listed(shapes: Sequence[Shape] | Mapping[Shape, Any]) -> str:
    texts = [str(shape) for shape in shapes]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def speedup_figure(entries: Sequence[Entry], record: Record, columns: int, depth: int) -> Figure:
    """Speedup over each platform's own FP16 baseline against tokens, for one layer.

    The card's kernels are lines over all that was measured, with their rooflines dotted; the machines are points.
    """
    figure = show.speedup_figure(record, columns, depth)
    mine = [
        one for one in entries if one.kernel == "simulated" and (one.shape.columns, one.shape.depth) == (columns, depth)
    ]
    for platform in dict.fromkeys(one.platform for one in mine):
        points = [one for one in mine if one.platform == platform]
        figure["data"].append(
            {
                "type": "scatter",
                "mode": "markers",
                "marker": {"size": 11, "symbol": "diamond"},
                "name": words(f"{platform}, simulated"),
                "x": [one.shape.tokens for one in points],
                "y": [one.speedup_over_fp16 for one in points],
            }
        )
    figure["layout"]["yaxis"]["title"]["text"] = "speedup over the platform's own FP16 baseline"
    return figure


def print_entries(entries: Sequence[Entry], console: Console) -> None:
    """One table a GeMM, for a terminal."""
    from rich.table import Table
    from rich.text import Text

    for shape in dict.fromkeys(entry.shape for entry in entries):
        console.print(Text(f"{shape}  (tokens x columns x depth)", style="bold"))
        table = Table(box=None, pad_edge=False)
        for name in ("platform", "kernel"):
            table.add_column(name, overflow="fold")
        for name in ("time", "rate", "roofline", "energy", "FP16 x", "normalised"):
            table.add_column(name, justify="right")
        for entry in entries:
            if entry.shape == shape:
                table.add_row(*_cells(entry))
        console.print(table)
        console.print()


def _cells(entry: Entry) -> tuple[str, ...]:
    precision = "" if entry.mantissa_bits is None or "M=" in entry.kernel else f" M={entry.mantissa_bits}"
    return (
        entry.platform,
        entry.kernel + precision,
        si(entry.seconds, "s"),
        si(entry.operations_per_second, "OP/s"),
        percent(entry.roofline_share),
        "" if entry.energy_joules is None else si(entry.energy_joules, "J"),
        "" if entry.speedup_over_fp16 is None else ratio(entry.speedup_over_fp16),
        si(entry.normalised_seconds, "s"),
    )
