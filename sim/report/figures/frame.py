"""What all figures share: no background of their own, one grid, text that is text.

Text takes its colour from the page's style sheet, so that a figure suits a light and a dark page alike.
"""

from __future__ import annotations

import html
from typing import Any

Figure = dict[str, Any]

GREY = "#7A7A7A"
_GRID = "rgba(128,128,128,0.25)"


def words(text: str) -> str:
    """`text` as it stands: plotly.js reads the tags and entities of HTML in every label."""
    return html.escape(text, quote=False)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its title, unit of measure included."""
    shared = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _GRID, "automargin": True}
    return {"title": {"text": title, "standoff": 6}, **shared, **more}


def layout(height: int, **more: Any) -> dict[str, Any]:
    """A layout of `height` pixels with the legend on top."""
    return {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": GREY},
        "margin": {"l": 10, "r": 40, "t": 10, "b": 10},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "traceorder": "normal"},
        "hoverlabel": {"align": "left"},
        "modebar": {"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": "#0072B2"},
        **more,
    }
