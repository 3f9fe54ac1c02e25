"""How far the interpolation is off: rows of the tables are left out, one at a time, and predicted by their neighbours.

A GeMM's row is predicted twice, along n and along k, an attention's along its tokens. The neighbours then stand
further apart than when nothing is left out, so the errors are rather too large. Recorded in measured/error_bars.yaml.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from gpu_ref.reference.estimate import WIDEST_GAP, ErrorBar, between
from gpu_ref.reference.gemm import SMALLEST
from gpu_ref.reference.tables import AttentionTable, GemmTable, attention_tables, gemm_tables

Series = list[tuple[int, float]]


def gemm_errors(table: GemmTable) -> list[float]:
    """Relative errors of all rows that have neighbours on both sides."""
    lines: dict[tuple[str, int, int], Series] = defaultdict(list)
    for m, times in table.seconds.items():
        for (n, k), seconds in times.items():
            if min(n, k) >= SMALLEST:
                lines["n", m, k].append((n, seconds))
                lines["k", m, n].append((k, seconds))
    return [error for line in lines.values() for error in _errors(sorted(line))]


def attention_errors(table: AttentionTable) -> list[float]:
    """As `gemm_errors`, along the tokens."""
    return [error for series in table.seconds.values() for error in _errors(sorted(series.items()))]


def _errors(line: Series) -> Iterator[float]:
    for low, row, high in zip(line, line[1:], line[2:], strict=False):
        if high[0] <= WIDEST_GAP * low[0]:
            yield abs(between(row[0], low, high) / row[1] - 1)


def bar(errors: list[float]) -> ErrorBar:
    """Median and 95 %, rounded up to a tenth of a percent."""
    ranked = sorted(errors)
    middle, most = (-(-ranked[int(share * (len(ranked) - 1)) + 1] // 0.001) / 1000 for share in (0.5, 0.95))
    return ErrorBar(rows=len(ranked), median=round(middle, 3), most=round(most, 3))


def measure() -> dict[str, dict[str, ErrorBar]]:
    """The error bars of all tables, by card, then by type or phase of attention."""
    found: dict[str, dict[str, ErrorBar]] = defaultdict(dict)
    for (card, kind), table in gemm_tables().items():
        found[card][kind] = bar(gemm_errors(table))
    for (card, phase), series in attention_tables().items():
        found[card][phase] = bar(attention_errors(series))
    return dict(found)


def text(bars: dict[str, dict[str, ErrorBar]]) -> str:
    """The bars as measured/error_bars.yaml holds them: `python -m gpu_ref.reference.held_out` prints it."""
    lines = ['how: "one row left out at a time, predicted log-log from its neighbours: gpu_ref/reference/held_out.py"']
    lines.append("bars:")
    for card, kinds in bars.items():
        lines.append(f"  {card}:")
        lines += [
            f"    {kind}: {{rows: {one.rows}, median: {one.median}, most: {one.most}}}" for kind, one in kinds.items()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(text(measure()), end="")
