"""One table of four provenances: forecast, measured by others, measured here, published."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from gpu_ref import dispatch, nvrtc, sources
from gpu_ref.card import Card
from gpu_ref.forecast.model import Forecast, forecast
from gpu_ref.forecast.silicon import Silicon, silicon
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.program import GemmShape
from gpu_ref.record import BenchRecord
from gpu_ref.reference.estimate import Estimate, OutsideTableError
from gpu_ref.reference.gemm import gemm_estimate
from sim import source
from sim.report.quantities import ratio, si
from sim.section import Section

if TYPE_CHECKING:
    from rich.console import Console

OTHERS = {"fp16": "BF16", "w4a16": "W4A16", "w4a16_wgmma": "W4A16", "dequantise": "W4A16", "fp8_wgmma": "FP8"}
"""Which type of the measured tables does the same work as a kernel."""


class PublishedSpeedup(Section):
    """A paper's speedup over FP16, for kernels of this kind up to so many tokens."""

    kernel: str
    most_tokens: Annotated[int, Field(gt=0)]
    speedup_over_fp16: Annotated[float, Field(gt=0)]
    source: str


class _Papers(Section):
    speedups: list[PublishedSpeedup]


@dataclass(frozen=True)
class ForecastRow:
    """One kernel on one shape; None where a provenance has nothing. Of a floor the speedup is the most there can be."""

    shape: GemmShape
    kernel: str
    forecast: Forecast
    speedup_over_fp16: float
    others: Estimate | None
    here_seconds: float | None
    published: PublishedSpeedup | None


@cache
def published() -> tuple[PublishedSpeedup, ...]:
    """published.yaml, checked."""
    return tuple(source.validate(_Papers, source.read(Path(__file__).parent / "published.yaml")).speedups)


def rows(
    name: str, card: Silicon, shapes: Iterable[GemmShape], bits: Sequence[int], record: BenchRecord | None
) -> list[ForecastRow]:
    """Every kernel on every shape, FP16 first.

    Parameters
    ----------
    name
        The card, as the measured tables call it.
    bits
        Mantissa lengths of the Anda kernels.
    record
        Our own measurements of this card, where there are any.
    """
    found = []
    for shape in shapes:
        fp16 = forecast(Fp16(), shape, card)
        for kernel in kernels(shape, card.card(name), bits):
            one = forecast(kernel, shape, card)
            here = (
                [row.median_seconds for row in record.rows_for(shape) if row.kernel == kernel.label] if record else []
            )
            found.append(
                ForecastRow(
                    shape,
                    kernel.label,
                    one,
                    fp16.seconds / (one.least_seconds if one.is_floor else one.seconds),
                    _others(name, kernel, shape),
                    min(here, default=None),
                    next((p for p in published() if p.kernel == kernel.source and shape.tokens <= p.most_tokens), None),
                )
            )
    return found


def kernels(shape: GemmShape, card: Card, bits: Sequence[int]) -> list[Kernel]:
    """Those of a shape that a forecast can be made of."""
    chosen: list[Kernel] = [Fp16(), dispatch.w4a16(shape, card), dispatch.w4a16_warps(shape, card)]
    chosen += [dispatch.w4a16_wgmma(shape, card), *(dispatch.anda(shape, card, length) for length in bits)]
    chosen += [dispatch.int8(shape, card), dispatch.fp8(shape, card)]
    unique = dict.fromkeys(chosen)
    return [kernel for kernel in unique if kernel.runs_on(card.architecture) and dispatch.takes(kernel, shape)]


def _others(card: str, kernel: Kernel, shape: GemmShape) -> Estimate | None:
    try:
        return gemm_estimate(card, OTHERS[kernel.source], shape.tokens, shape.columns, shape.depth)
    except (KeyError, OutsideTableError):
        return None


def as_dict(name: str, card: Silicon, found: Sequence[ForecastRow]) -> dict[str, Any]:
    """A forecast that can be kept, with all that it hangs on."""
    names = sorted({row.kernel.split()[0] for row in found} & set(sources.names()))
    return {
        "provenance": "forecast from machine code and bytes; no card has run this",
        "card": name,
        "silicon": card.model_dump(),
        "issue": silicon().issue.model_dump(),
        "launch_seconds": silicon().launch_seconds.model_dump(),
        "nvrtc": nvrtc.version(),
        "sources": {source_name: sources.fingerprint(source_name) for source_name in names},
        "rows": [_plain(row) for row in found],
    }


def write(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _plain(row: ForecastRow) -> dict[str, Any]:
    others = row.others
    return {
        **asdict(row.shape),
        "kernel": row.kernel,
        "forecast": asdict(row.forecast),
        "forecast_speedup_over_fp16": row.speedup_over_fp16,
        "measured_by_others": None
        if others is None
        else {"seconds": others.seconds, **others.bar.model_dump(), "at_this_shape": others.is_measured},
        "measured_here_seconds": row.here_seconds,
        "published": row.published.model_dump() if row.published else None,
    }


def print_rows(name: str, card: Silicon, found: Sequence[ForecastRow], console: Console) -> None:
    """One table a shape, 80 columns wide."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"{name}: forecast from machine code and bytes; no card has run this", style="bold"))
    for shape in dict.fromkeys(row.shape for row in found):
        console.print()
        console.print(Text(f"{shape}  (tokens x columns x depth)", style="bold"))
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("kernel", overflow="fold")
        table.add_column("limit")
        for heading in (
            "instr./\nweight",
            "forecast\n",
            "x FP16\n",
            "measured,\nothers",
            "measured,\nhere",
            "publ.\nx FP16",
        ):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in found:
            if row.shape == shape:
                table.add_row(*_cells(row))
        console.print(table)
    console.print()
    for line in notes(card, found):
        console.print(Text(line, style="dim"))


def notes(card: Silicon, found: Sequence[ForecastRow]) -> list[str]:
    """What the numbers hang on."""
    issue, floors = silicon().issue, any(row.forecast.is_floor for row in found)
    papers = dict.fromkeys(row.published.source for row in found if row.published)
    return [
        f"forecast: every scheduler issuing in every cycle .. in {100 * issue.likely_share:.0f} % of them "
        f"({issue.source}).",
        "fp16, and what follows dequantise: the roofline of the vendor's library, whose code is not read.",
        *(["≥, ≤: without the products' time, as this card's rate of them is not published."] if floors else []),
        f"card: {card.source}.",
        "measured by others: see gpu show --reference; kernels of the same kind, not ours.",
        *(f"published: {paper}." for paper in papers),
    ]


def _cells(row: ForecastRow) -> tuple[str, ...]:
    instructions = row.forecast.instructions_per_weight
    return (
        row.kernel,
        row.forecast.limited_by,
        "" if instructions is None else f"{instructions:.3f}",
        bracket(row.forecast),
        ("≤" if row.forecast.is_floor else "") + ratio(row.speedup_over_fp16),
        "" if row.others is None else si(row.others.seconds, "s"),
        "" if row.here_seconds is None else si(row.here_seconds, "s"),
        "" if row.published is None else ratio(row.published.speedup_over_fp16),
    )


def bracket(one: Forecast) -> str:
    """Least and likely time; one where they are the same, or where there is but a floor."""
    if one.is_floor:
        return f"≥ {si(one.least_seconds, 's', 3)}"
    likely = si(one.seconds, "s", 3)
    return likely if one.seconds == one.least_seconds else f"{si(one.least_seconds, 's', 3)}..{likely}"
