"""How the parts of a result are called, ordered and coloured, the same in every table and figure.

The colours tell apart for the common forms of colour blindness (Okabe and Ito, "Color Universal Design", 2008, and
shades of them) and stand on white and on near-black. A name that is not known here, such as that of a user's own
component, keeps its own words, comes last, and takes the next free colour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import cycle

from sim.limits import loss_of
from sim.machine.costs import components
from sim.report.quantities import percent, si
from sim.result import FastForward, Limit
from sim.units.catalogue import unit_label, unit_of

DRAM_PARTS = ("activates", "reads", "writes", "refresh", "standby", "interface", "controller")
LABELS = {"sram": "SRAM", "up": "up/gate", "streams": "streams", "reduction": "reduction tree"} | {
    f"dram_{part}": f"DRAM {part}" for part in DRAM_PARTS
}
"""Of what no unit names; units name themselves and their losses."""

# As data flows.
UNITS = tuple(unit_of())

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

# Work, then what shape, ports, memory, and the other units take of it.
MULTIPLIERS = {
    "useful": "#0072B2",
    "rows_cut_by_blocks": "#56B4E9",
    "rows_without_tokens": "#9CCBEB",
    "columns_without_outputs": "#7570B3",
    "mxus_without_outputs": "#B3B0D9",
    "mxus_left_out": "#D9D8EC",
    "k_padding": "#4B4A7A",
    "activation_port": "#D55E00",
    "exponent_port": "#F0A070",
    "weight_port": "#E69F00",
    "weights_channel_busy": "#8C4A6E",
    "weights_channel_idle": "#C391AC",
    "activations_channel_busy": "#CC79A7",
    "activations_channel_idle": "#E8C4DA",
    "output_space_channel_busy": "#009E73",
    "output_space_channel_idle": "#7BCBB0",
    "fill_and_drain": "#999999",
    "softmax": "#C9B400",
    "vector_work": "#A6761D",
    "vector_channel_busy": "#7A5C2E",
    "vector_channel_idle": "#DCC38A",
    "quantiser_work": "#56564B",
    "quantiser_channel_busy": "#84847A",
    "quantiser_channel_idle": "#B9B9AE",
}

# Blue computes, green stores, orange is memory off the chip; of a group, the colours as its components come.
SHADES = {
    "compute": ("#0072B2", "#9CCBEB", "#56B4E9", "#CC79A7", "#56564B"),
    "sram": ("#7BCBB0", "#009E73", "#999999"),
    "dram": ("#E69F00", "#7A4E00", "#C77800", "#A65628", "#F5D08A", "#F0C35E", "#D8B365", "#8C6D31"),
}

# The paper's four in plain colours, attention in reds, vector work in browns.
MODULES = {
    "qkv": "#0072B2",
    "o": "#56B4E9",
    "up": "#E69F00",
    "down": "#009E73",
    "attention": "#CC79A7",
    "quantise": "#E0B3CC",
    "norm": "#A6761D",
    "rotary": "#C9A66B",
    "activation": "#7A5C2E",
    "router": "#7570B3",
    "head": "#999999",
}

BASELINE = "#8A8A8A"
SPARE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7570B3", "#A6761D", "#66A61E")


def _shaded(groups: Mapping[str, str]) -> dict[str, str]:
    """A colour of its group for every component, as far as the group has colours."""
    left = {group: iter(shades) for group, shades in SHADES.items()}
    found = {component: next(left[group], None) for component, group in groups.items()}
    return {component: colour for component, colour in found.items() if colour is not None}


COMPONENTS = _shaded(components())


def label(name: str) -> str:
    """The name of a unit, component, module, loss or cause as people write it."""
    return LABELS.get(name) or (loss_of()[name][1].label if name in loss_of() else "") or unit_label(name)


DOING = ("busy", "idle", "reads", "writes")
"""States that are no stalls."""


def state_words(state: str) -> str:
    """A state as it is read: what a unit does, skipped periods, or what it waits for, such as `waits for weights`."""
    return state if state in DOING or "skipped" in state else f"waits for {label(state)}"


def limiting(limit: Limit) -> str:
    """The limiting unit and why it limits, such as `MXU: weights`."""
    return f"{label(limit.unit)}: {label(limit.cause)}"


def dram_rows(counters: Mapping[str, int], cycles: int) -> str:
    """What bursts found in the banks, and what else took the bus; empty for a DRAM without banks."""
    found = [counters.get(f"dram.row_{name}", 0) for name in ("hits", "misses", "conflicts")]
    if not sum(found):
        return ""
    hits, misses, conflicts = (percent(n / sum(found)) for n in found)
    rows = f"bursts find their row open {hits}, the bank closed {misses}, another row {conflicts}"
    rows += f"; rows are open {percent(counters['dram.open_cycles'] / cycles)} of the time"
    return f"{rows}; {si(counters['dram.turns'])} turns, {si(counters['dram.refresh_stops'])} refreshes in the way"


def skipped(fast_forward: FastForward, cycles: int, slip_cycles: int = 0) -> str:
    """How much fast-forward skipped, and what kept it from skipping more."""
    words = f"{fast_forward.skipped_cycles / cycles:.1%} of the cycles skipped by fast-forward"
    if fast_forward.obstacles:
        words += "; not everywhere: " + "; ".join(fast_forward.obstacles)
    if slip_cycles:
        words += f"; refreshes that came back nearly on time may move them by {slip_cycles / cycles:.4%}"
    if fast_forward.dram_rounding > 0:
        words += f"; the time quantum adds {fast_forward.dram_rounding:.2%} to DRAM's time"
    return words


def explained(limit: Limit) -> str:
    """The sentence about a limit, less the cause where it begins with that."""
    return limit.text.removeprefix(f"{limit.cause}: ")


def ordered(names: Iterable[str], known: Collection[str]) -> list[str]:
    """The names, each once, in the order of `known`; the unknown ones last in the order in which they came."""
    found = dict.fromkeys(names)
    return [name for name in known if name in found] + [name for name in found if name not in known]


def colours(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A colour for every name, in that order."""
    spare = cycle([colour for colour in SPARE if colour not in known.values()])
    return {name: known[name] if name in known else next(spare) for name in ordered(names, known)}
