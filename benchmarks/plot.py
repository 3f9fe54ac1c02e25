"""Time against size: one line a grain, both axes logarithmic, as an SVG of a few kilobytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60
COLOURS = {"beat": "#b5495b", "tile": "#3f6fa8", "fast-forward": "#2f8f5b"}
LABELS = {"beat": "beat", "tile": "tile", "fast-forward": "tile, fast-forward"}


@dataclass(frozen=True)
class LogAxis:
    """Whole powers of ten from `low` to `high` laid over pixels `start` to `end`."""

    low: int
    high: int
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> LogAxis:
        return cls(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))), start, end)

    def at(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)


def svg(rows: Sequence[dict[str, Any]]) -> str:
    """The plot of the square GeMMs among the rows of `speed`; filled marks are even sizes, hollow ones ragged."""
    squares = sorted((row for row in rows if "grain" in row), key=lambda row: row["macs"])
    x = LogAxis.over([row["macs"] for row in squares], LEFT, WIDTH - RIGHT)
    y = LogAxis.over([row["cpu_seconds"] for row in squares], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, "Simulation time of square GeMMs, anda-hpca25, M = 7", size=15),
        _text(LEFT, 40, "filled: whole tiles; hollow: part of a tile at the end of all three directions"),
        *_grid(x, y),
    ]
    for grain in COLOURS:
        parts += _line([row for row in squares if row["grain"] == grain], grain, x, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(x: LogAxis, y: LogAxis) -> Iterator[str]:
    for power in range(x.low, x.high + 1):
        at = x.at(10.0**power)
        yield f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e3e3e3"/>'
        if power % 2 == 0:
            yield _text(at, HEIGHT - BOTTOM + 18, _power(power), anchor="middle")
    for power in range(y.low, y.high + 1):
        at = y.at(10.0**power)
        yield f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#e3e3e3"/>'
        yield _text(LEFT - 8, at + 4, _power(power), anchor="end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "multiply-accumulates of the GeMM", anchor="middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<g transform="rotate(-90 18 {middle})">{_text(18, middle, "processor seconds", anchor="middle")}</g>'


def _line(rows: Sequence[dict[str, Any]], grain: str, x: LogAxis, y: LogAxis) -> Iterator[str]:
    colour, even = COLOURS[grain], [row for row in rows if not row["ragged"]]
    points = " ".join(f"{x.at(row['macs']):.1f},{y.at(row['cpu_seconds']):.1f}" for row in even)
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    for row in rows:
        at = f'cx="{x.at(row["macs"]):.1f}" cy="{y.at(row["cpu_seconds"]):.1f}"'
        yield f'<circle {at} r="3.5" stroke="{colour}" fill="{"white" if row["ragged"] else colour}"/>'
    last = even[-1]
    yield _text(x.at(last["macs"]) - 8, y.at(last["cpu_seconds"]) - 10, LABELS[grain], anchor="end", fill=colour)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, fill: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{text}</text>'


def _power(power: int) -> str:
    return f'10<tspan dy="-5" font-size="9">{power}</tspan>'
