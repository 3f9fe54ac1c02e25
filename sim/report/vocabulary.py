"""How the parts of a result are called, ordered and coloured, the same in every table and figure.

The colours tell apart for the common forms of colour blindness (Okabe and Ito, "Color Universal Design", 2008, and
shades of them) and stand on white and on near-black. A name that is not known here, such as that of a user's own
component, keeps its own words, comes last, and takes the next free colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

LABELS = {"mxu": "MXU", "bpc": "BPC", "dram": "DRAM", "u": "up/gate", "d": "down"}

STATES = {
    "busy": "#0072B2",
    "weights": "#E69F00",
    "activations": "#D55E00",
    "output_space": "#CC79A7",
    "dram": "#8C4A6E",
    "dependency": "#C9B400",
    "buffer_space": "#009E73",
    "idle": "rgba(128,128,128,0.25)",
}

# Blue computes, green stores, orange is memory off the chip.
COMPONENTS = {
    "mxu": "#0072B2",
    "bpc": "#56B4E9",
    "vector": "#9CCBEB",
    "activation_buffer": "#009E73",
    "weight_buffer": "#7BCBB0",
    "dram": "#E69F00",
    "leakage": "#999999",
    "controller": "#CC79A7",
}

MODULES = {"qkv": "#0072B2", "o": "#56B4E9", "u": "#E69F00", "d": "#009E73", "attention": "#CC79A7", "head": "#999999"}

_SPARE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A8A8A", "#A6761D", "#7570B3", "#66A61E")


def label(name: str) -> str:
    """The name of a unit, component, module or cause as people write it."""
    return LABELS.get(name, name.replace("_", " "))


def colours(names: Iterable[str], known: dict[str, str] | None = None) -> dict[str, str]:
    """A colour for every name, ordered as in `known`, the unknown ones last in the order in which they came."""
    known = known or {}
    wanted = list(dict.fromkeys(names))
    ordered = [name for name in known if name in wanted] + [name for name in wanted if name not in known]
    spare = cycle(colour for colour in _SPARE if colour not in known.values())
    return {name: known.get(name) or next(spare) for name in ordered}
