"""What limits a run: the largest of the losses of its waterfall, and the keys that would make it smaller.

Losses of one unit with one cause count together, such as all waits beside a busy channel; what to do is said of the
largest among them. Where none takes a tenth of the multipliers' time, more of them is what would speed the run up: it
is limited by compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sim.laws.waterfall import Waterfall

NEGLIGIBLE = 0.1
"""Share of the multipliers' time: without a smaller loss a run would be faster by a ninth at most."""


@dataclass(frozen=True)
class Limit:
    """The limiting unit, the cause in two words, the keys to change for it, and a sentence."""

    unit: str
    cause: str
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Mend:
    """What makes a loss smaller.

    Parameters
    ----------
    unit, cause
        Of the loss; several may share them.
    words
        What the multipliers' time goes to.
    keys
        Of the arch YAML, or of the workload, the likeliest first.
    advice
        What to do with them.
    """

    unit: str
    cause: str
    words: str
    keys: tuple[str, ...]
    advice: str


BANDWIDTH = "dram.bandwidth_gigabytes_per_second"
WORK = ("batch", "tokens")
MENDS: Mapping[str, Mend] = {
    "rows_without_tokens": Mend(
        "mxu", "row occupancy", "rows without a token, for the work has too few", (*WORK, "mxu.rows"),
        "more tokens at a time (batch, tokens), or fewer mxu.rows",
    ),
    "rows_cut_by_blocks": Mend(
        "mxu", "row occupancy", "rows without a token, where a block ends early", ("schedule.token_block", "mxu.rows"),
        "a schedule.token_block that is a multiple of mxu.rows",
    ),
    "columns_without_outputs": Mend(
        "mxu", "column occupancy", "columns without an output", ("mxu.columns",),
        "mxu.columns that divide the outputs",
    ),
    "mxus_without_outputs": Mend(
        "mxu", "idle MXUs", "MXUs without an output", ("mxu.count", "mxu.columns"),
        "an mxu.count x mxu.columns that divides the outputs",
    ),
    "k_padding": Mend(
        "mxu", "padding of K", "values of K that are padding", ("mxu.dot_length", "mxu.lanes"),
        "an mxu.dot_length that divides K, and mxu.lanes that divide it",
    ),
    "activation_port": Mend(
        "activation_dispatcher", "activation port", "words that take the port more than a cycle",
        ("activation_dispatcher.port_bits",), "more activation_dispatcher.port_bits",
    ),
    "exponent_port": Mend(
        "activation_dispatcher", "exponent port", "exponents that take their port longer than a word does",
        ("activation_dispatcher.exponent_port_bits",), "more activation_dispatcher.exponent_port_bits",
    ),
    "weight_port": Mend(
        "weight_dispatcher", "weight port", "weights that take their port longer than a group computes",
        ("weight_dispatcher.port_bits",), "more weight_dispatcher.port_bits",
    ),
    "weights_channel_busy": Mend(
        "dram", "bandwidth", "waits for weights beside a busy channel", (BANDWIDTH, "schedule.token_block", *WORK),
        f"more {BANDWIDTH}, or more tokens for each load of the weights (schedule.token_block, batch)",
    ),
    "activations_channel_busy": Mend(
        "dram", "bandwidth", "waits for activations beside a busy channel",
        (BANDWIDTH, "buffers.activation.bytes", "schedule.output_block"),
        f"more {BANDWIDTH}, or fewer loads of the activations (buffers.activation.bytes, schedule.output_block)",
    ),
    "output_space_channel_busy": Mend(
        "dram", "bandwidth", "waits for outputs to leave through a busy channel", (BANDWIDTH,), f"more {BANDWIDTH}",
    ),
    "weights_channel_idle": Mend(
        "dram", "latency", "waits for weights beside an idle channel",
        ("buffers.weight.bytes", "dram.outstanding_loads", "dram.latency_nanoseconds"),
        "loads that run further ahead (buffers.weight.bytes, dram.outstanding_loads)",
    ),
    "activations_channel_idle": Mend(
        "dram", "latency", "waits for activations beside an idle channel",
        ("buffers.activation.bytes", "dram.outstanding_loads", "dram.latency_nanoseconds"),
        "loads that run further ahead (buffers.activation.bytes, dram.outstanding_loads)",
    ),
    "output_space_channel_idle": Mend(
        "collector", "output space", "waits for outputs to leave",
        ("collector.port_bits", "bpc.lanes", "mxu.output_registers"),
        "more collector.port_bits, bpc.lanes or mxu.output_registers",
    ),
    "fill_and_drain": Mend(
        "mxu", "fill and drain", "the start and the end of short pieces of work", (*WORK, "dram.latency_nanoseconds"),
        "larger pieces of work (batch, tokens), or less dram.latency_nanoseconds",
    ),
    "vector_work": Mend(
        "vector", "vector work", "work of the vector unit", ("vector.fpus",), "more vector.fpus",
    ),
    "vector_channel_busy": Mend(
        "vector", "vector work", "the vector unit's waits beside a busy channel", (BANDWIDTH,), f"more {BANDWIDTH}",
    ),
    "vector_channel_idle": Mend(
        "vector", "vector work", "the vector unit's waits beside an idle channel",
        ("buffers.activation.bytes", "dram.latency_nanoseconds"), "more buffers.activation.bytes",
    ),
}  # fmt: skip


def limit_of(waterfall: Waterfall, rows: int) -> Limit:
    """What limits a run, from where its multipliers' time went.

    Parameters
    ----------
    rows
        Of an MXU.
    """
    lost: dict[tuple[str, str], int] = dict.fromkeys(((one.unit, one.cause) for one in MENDS.values()), 0)
    for name, loss in waterfall.losses.items():
        lost[MENDS[name].unit, MENDS[name].cause] += loss
    unit, cause = max(lost, key=lambda kind: lost[kind])
    of_kind = [name for name, one in MENDS.items() if (one.unit, one.cause) == (unit, cause)]
    largest = max(of_kind, key=lambda name: waterfall.losses.get(name, 0))
    mend, share = MENDS[largest], lost[unit, cause] / waterfall.whole
    mostly = "mostly " if sum(name in waterfall.losses for name in of_kind) > 1 else ""
    working = f" ({waterfall.rows_at_work * rows:.3g} of {rows} rows work)" if cause == "row occupancy" else ""
    told = f"{share:.1%} of the multipliers' time goes to {mostly}{mend.words}{working}; mend: {mend.advice}"
    if share < NEGLIGIBLE:
        text = f"compute: {waterfall.utilisation:.1%} of the multipliers' time is useful, only {told}"
        return Limit("mxu", "compute", ("mxu.count",), text)
    return Limit(unit, cause, mend.keys, f"{cause}: {told}")
