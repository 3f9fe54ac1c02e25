"""What limits a run: the largest of the losses of its waterfall, and the key that would make it smaller.

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
    """The limiting unit, the cause in two words, the likeliest key to change, and a sentence.

    The key is one of the arch YAML, or an option of the workload (batch, tokens).
    """

    unit: str
    cause: str
    key: str
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
    key
        Of the arch YAML, or of the workload: the likeliest.
    advice
        What to do with it and with others.
    """

    unit: str
    cause: str
    words: str
    key: str
    advice: str


BANDWIDTH = "dram.bandwidth_gigabytes_per_second"
MENDS: Mapping[str, Mend] = {
    "rows_without_tokens": Mend(
        "mxu", "row occupancy", "rows without a token, for the work has too few", "batch",
        "more tokens at a time (batch, tokens), or fewer mxu.rows",
    ),
    "rows_cut_by_blocks": Mend(
        "mxu", "row occupancy", "rows without a token, where a block ends early", "schedule.token_block",
        "a schedule.token_block that is a multiple of mxu.rows",
    ),
    "columns_without_outputs": Mend(
        "mxu", "column occupancy", "columns without an output", "mxu.columns", "mxu.columns that divide the outputs",
    ),
    "mxus_without_outputs": Mend(
        "mxu", "idle MXUs", "MXUs without an output", "mxu.count",
        "an mxu.count x mxu.columns that divides the outputs",
    ),
    "k_padding": Mend(
        "mxu", "padding of K", "values of K that are padding", "mxu.dot_length",
        "an mxu.dot_length that divides K, and mxu.lanes that divide it",
    ),
    "activation_port": Mend(
        "activation_dispatcher", "activation port", "words that take the port more than a cycle",
        "activation_dispatcher.port_bits", "more activation_dispatcher.port_bits",
    ),
    "exponent_port": Mend(
        "activation_dispatcher", "exponent port", "exponents that take their port longer than a word does",
        "activation_dispatcher.exponent_port_bits", "more activation_dispatcher.exponent_port_bits",
    ),
    "weight_port": Mend(
        "weight_dispatcher", "weight port", "weights that take their port longer than a group computes",
        "weight_dispatcher.port_bits", "more weight_dispatcher.port_bits",
    ),
    "weights_channel_busy": Mend(
        "dram", "bandwidth", "waits for weights beside a busy channel", BANDWIDTH,
        f"more {BANDWIDTH}, or more tokens for each load of the weights (schedule.token_block, batch)",
    ),
    "activations_channel_busy": Mend(
        "dram", "bandwidth", "waits for activations beside a busy channel", BANDWIDTH,
        f"more {BANDWIDTH}, or fewer loads of the activations (buffers.activation.bytes, schedule.output_block)",
    ),
    "output_space_channel_busy": Mend(
        "dram", "bandwidth", "waits for outputs to leave through a busy channel", BANDWIDTH, f"more {BANDWIDTH}",
    ),
    "weights_channel_idle": Mend(
        "dram", "latency", "waits for weights beside an idle channel", "buffers.weight.bytes",
        "loads that run further ahead (buffers.weight.bytes, dram.outstanding_loads)",
    ),
    "activations_channel_idle": Mend(
        "dram", "latency", "waits for activations beside an idle channel", "buffers.activation.bytes",
        "loads that run further ahead (buffers.activation.bytes, dram.outstanding_loads)",
    ),
    "output_space_channel_idle": Mend(
        "collector", "output space", "waits for outputs to leave", "collector.port_bits",
        "more collector.port_bits, bpc.lanes or mxu.output_registers",
    ),
    "fill_and_drain": Mend(
        "mxu", "fill and drain", "the start and the end of short pieces of work", "batch",
        "larger pieces of work (batch, tokens), or less dram.latency_nanoseconds",
    ),
    "vector_work": Mend("vector", "vector work", "work of the vector unit", "vector.fpus", "more vector.fpus"),
    "vector_channel_busy": Mend(
        "vector", "vector work", "the vector unit's waits beside a busy channel", BANDWIDTH, f"more {BANDWIDTH}",
    ),
    "vector_channel_idle": Mend(
        "vector", "vector work", "the vector unit's waits beside an idle channel", "buffers.activation.bytes",
        "more buffers.activation.bytes",
    ),
}  # fmt: skip


def limit_of(waterfall: Waterfall, rows: int) -> Limit:
    """What limits a run, from where its multipliers' time went.

    Parameters
    ----------
    rows
        Of an MXU.
    """
    losses: dict[tuple[str, str], int] = dict.fromkeys(((one.unit, one.cause) for one in MENDS.values()), 0)
    for name, loss in waterfall.losses.items():
        losses[MENDS[name].unit, MENDS[name].cause] += loss
    unit, cause = max(losses, key=lambda kind: losses[kind])
    of_kind = [name for name, one in MENDS.items() if (one.unit, one.cause) == (unit, cause)]
    largest = max(of_kind, key=lambda name: waterfall.losses.get(name, 0))
    mend, share = MENDS[largest], losses[unit, cause] / waterfall.whole
    mostly = ", mostly" if sum(name in waterfall.losses for name in of_kind) > 1 else ""
    working = f" ({waterfall.rows_at_work * rows:.3g} of {rows} rows work)" if cause == "row occupancy" else ""
    lost = f"lost{mostly} to {mend.words}{working}"
    time = "of the multipliers' time is"
    if share < NEGLIGIBLE:
        text = f"compute: {_percent(waterfall.utilisation)} {time} useful, {_percent(share)} {lost}"
        return Limit("mxu", "compute", "mxu.count", text)
    return Limit(unit, cause, mend.key, f"{cause}: {_percent(share)} {time} {lost}; mend: {mend.advice}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
