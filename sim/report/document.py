"""The frame of every page: one file that opens, and stays as it was, without a network.

plotly.js stands in it once, and its content security policy forbids every load from elsewhere.
"""

from __future__ import annotations

from importlib.resources import files

from sim.report.figures.frame import Figure
from sim.report.markup import Html, data, join, tag
from sim.runs.code import made_by

GENERATOR = '<meta name="generator" content="anda-sim">'
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'\">"
)


def document(title: str, body: Html, *, style: str = "", script: str = "") -> str:
    """A whole page's text; `style` and `script` are added to those of every page."""
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(GENERATOR),
            Html(_POLICY),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title),
            Html(f"<style>{_asset('page.css')}{style}</style>"),
        ]
    )
    scripts = Html("".join(f"<script>{text}</script>" for text in (_plotly(), _asset("page.js"), script) if text))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}{foot()}\n{scripts}</body></html>\n'


def foot() -> Html:
    """The last line of every page: which version made it."""
    return tag("footer", f"Page made by {made_by()}")


def drawn(figure: Figure, caption: str) -> Html:
    """A figure with its caption."""
    picture = tag("div", role="img", aria_label=caption)
    return tag("figure", picture, data(figure), tag("figcaption", caption))


def fold(title: str, *content: Html, opened: bool = False) -> Html:
    """Content that opens on a click."""
    attributes = {"open": ""} if opened else {}
    return tag("details", tag("summary", title), *content, **attributes)


def _asset(name: str) -> str:
    return files("sim.report").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
