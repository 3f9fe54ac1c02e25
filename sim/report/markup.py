"""HTML that is escaped by construction: text becomes HTML only through `tag`, which escapes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *content: str, **attributes: str) -> Html:
    """An element; text in it and in its attributes is escaped. `class_` and `data_x` are `class` and `data-x`."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"' for key, text in attributes.items())
    return Html(f"<{name}{told}>{join(content)}</{name}>")


def join(content: Iterable[str]) -> Html:
    """Pieces one after another, text escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in content))


def data(value: Any) -> Html:
    """Plain data for a script of the page to read; no `<` in it can end the element early."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json">{text}</script>')


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: Iterable[int] = (0,)) -> Html:
    """A table of numbers, right-aligned; the columns at the indices `words` hold words and align left."""
    left = set(words)
    side = ["word" if index in left else "number" for index in range(len(columns))]
    head = tag("tr", *(tag("th", name, class_=kind, scope="col") for name, kind in zip(columns, side, strict=True)))
    body = (tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, side, strict=True))) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")
