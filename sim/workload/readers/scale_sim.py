"""SCALE-Sim's topologies: its names of columns, and convolutions as the GeMMs that im2col makes of them.

    Layer, M, N, K,
    Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,

    M = outputs high x wide,  outputs = ceil((IFMAP - filter) / stride) + 1     K = filter high x wide x channels
    N = filters                                     a name with DP in it is depth-wise: a GeMM a channel, K of one

Columns `Stride Height` and `Stride Width` may stand for `Strides`. As in SCALE-Sim (topology_utils.py), the last
window counts even where it hangs over the edge, and padding is part of the IFMAP.
"""

from __future__ import annotations

from collections.abc import Callable

from sim.errors import InputError, Place
from sim.workload.gemm import LARGEST_SIZE

NAMES = {
    **dict.fromkeys(("layer", "layer name"), "name"),
    **dict.fromkeys(("num filters", "num filter"), "filters"),
    **dict.fromkeys(("strides", "stride"), "stride"),
    "num channels": "channels",
}
"""This project's names of SCALE-Sim's columns; the others are called the same."""
SIZES = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "filters")
STRIDES = ("stride", "stride height", "stride width")
DEPTH_WISE = "DP"


def renamed(columns: list[str]) -> list[str]:
    """Columns by this project's names, lower case."""
    return [NAMES.get(column.lower(), column.lower()) for column in columns]


def are_convolutions(columns: list[str]) -> bool:
    """Whether renamed columns are those of convolutions."""
    return SIZES[0] in columns


def gemm_cells(integer: Callable[[str, int, int], int], name: str, place: Place) -> dict[str, str]:
    """The cells of a convolution as those of a GeMM: m, k, n and count.

    Parameters
    ----------
    integer
        From a column, what stands for an empty cell, and the largest value, to the number in the row.

    Raises
    ------
    InputError
        For a filter larger than its IFMAP.
    """
    high, wide, filter_high, filter_wide, channels, filters = (integer(column, 0, LARGEST_SIZE) for column in SIZES)
    both = integer("stride", 1, LARGEST_SIZE)
    rows = _outputs(high, filter_high, integer("stride height", both, LARGEST_SIZE), "filter height", place)
    columns = _outputs(wide, filter_wide, integer("stride width", both, LARGEST_SIZE), "filter width", place)
    apart = channels if DEPTH_WISE in name else 1
    sizes = {
        "m": rows * columns,
        "k": filter_high * filter_wide * (channels // apart),
        "n": filters,
        "count": apart,
    }
    return {column: str(size) for column, size in sizes.items()}


def _outputs(size: int, window: int, stride: int, column: str, place: Place) -> int:
    if window > size:
        facts = {"found": f"{window} over {size} values", "allowed": "a filter that fits its IFMAP"}
        raise InputError("larger than the IFMAP", place=place, field=column, facts=facts)
    return -((window - size) // stride) + 1
