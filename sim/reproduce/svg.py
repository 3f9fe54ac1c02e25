"""Small pictures in SVG: bars, stacks and lines, with the paper's numbers as marks over the simulated ones.

Text and axes take the colour of the page, so that a picture suits a light and a dark one. Every mark tells its number
under the pointer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sim.report.markup import Html, join, tag

WIDTH, LEFT, TOP, RIGHT = 1100.0, 56.0, 34.0, 16.0
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Frame:
    """The plot's rectangle in pixels."""

    height: float
    bottom: float
    left: float = LEFT

    @property
    def floor(self) -> float:
        return self.height - self.bottom

    @property
    def right(self) -> float:
        return WIDTH - RIGHT


def picture(frame: Frame, marks: Sequence[Html], label: str) -> Html:
    """The whole drawing."""
    size = {"viewBox": f"0 0 {WIDTH:g} {frame.height:g}", "width": "100%", "role": "img", "aria_label": label}
    return tag("svg", *marks, **size)


def rectangle(x: float, y: float, width: float, height: float, colour: str, told: str, opacity: float = 1) -> Html:
    """A bar that tells `told` under the pointer."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{max(width, 0):.1f}", "height": f"{max(height, 0):.1f}"}
    return tag("rect", tag("title", told), **place, fill=colour, fill_opacity=f"{opacity:g}")


def segment(x1: float, y1: float, x2: float, y2: float, **style: str) -> Html:
    """A straight line."""
    place = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    return tag("line", **place, **{"stroke": "currentColor", **style})


def path(points: Sequence[tuple[float, float]], colour: str) -> Html:
    """A line through points."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return tag("polyline", points=corners, fill="none", stroke=colour, stroke_width="2")


def dot(x: float, y: float, colour: str, told: str, filled: bool = True) -> Html:
    """A point: filled where simulated, a ring where printed."""
    fill = colour if filled else "none"
    stroke = colour if filled else "currentColor"
    place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "3" if filled else "6"}
    return tag("circle", tag("title", told), **place, fill=fill, stroke=stroke, stroke_width="1.5")


def text(x: float, y: float, words: str, anchor: str = "middle", **style: str) -> Html:
    """Words at a point."""
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, **style)


def legend(entries: Sequence[tuple[str, str]], frame: Frame) -> Html:
    """Names and colours along the top; an empty colour stands for the paper's mark."""
    marks, x = [], frame.left
    for name, colour in entries:
        if colour:
            marks.append(rectangle(x, 8, 12, 12, colour, name))
        else:
            marks.append(segment(x, 14, x + 12, 14, stroke_width="3"))
        marks.append(text(x + 17, 18, name, "start"))
        x += 36 + 7.2 * len(name)
    return join(marks)


def upright(frame: Frame, values: Sequence[float]) -> tuple[Scale, Html]:
    """A vertical axis from 0 to above the largest value: the scale, and its grid with numbers."""
    top = max(values) * 1.05 or 1.0

    def scale(value: float) -> float:
        return frame.floor - (frame.floor - TOP) * value / top

    marks = []
    for value in ticks(top):
        marks += [
            segment(frame.left, scale(value), frame.right, scale(value), stroke_opacity="0.18"),
            text(frame.left - 6, scale(value) + 4, f"{value:g}", "end"),
        ]
    return scale, join(marks)


def ticks(top: float, at_most: int = 7) -> list[float]:
    """Round numbers from 0 to `top`."""
    rough = top / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * index, 10) for index in range(int(top / step) + 1)]
