"""Faults of the dispatchers."""

from __future__ import annotations

from sim.rtl.checks.planted.fault import fault

FOUR_ROWS = "activation dispatcher 4 rows, 128 b and 5 b"
SEVEN_ROWS = "activation dispatcher 7 rows, 512 b and 13 b"
WEIGHTS = "weight dispatcher as published"
ZERO_POINTS = "weight dispatcher 4 columns, 64 b, zero points"
DIGITS = "weight dispatcher 4 columns, 192 b, digits of 3 bits, zero points"
ACTIVATION, WEIGHT = "activation_dispatcher.sv", "weight_dispatcher.sv"

FAULTS = (
    fault(
        "every word waits for as many beats as the exponents take",
        FOUR_ROWS,
        ACTIVATION,
        "word_first_i && exponent_beats > word_beats",
        "exponent_beats > word_beats",
    ),
    fault(
        "beats of a word are rounded down",
        FOUR_ROWS,
        ACTIVATION,
        "(32'(word_rows_i) * WordBits + PortBits - 1) / PortBits",
        "(32'(word_rows_i) * WordBits) / PortBits",
    ),
    fault(
        "beats of exponents are rounded down",
        SEVEN_ROWS,
        ACTIVATION,
        "(32'(word_rows_i) * SideBits + ExponentBits - 1) / ExponentBits",
        "(32'(word_rows_i) * SideBits) / ExponentBits",
    ),
    fault(
        "the first beat of a word is not kept",
        FOUR_ROWS,
        ACTIVATION,
        "if (beat_fires && !last_beat) begin",
        "if (beat_fires && !last_beat && beat_q != '0) begin",
    ),
    fault(
        "zero points of the present beat count, not those of the block's first",
        ZERO_POINTS,
        WEIGHT,
        "beat_q == '0 ? zeros_i : zeros_q",
        "zeros_i",
    ),
    fault("the last block of an operation is not marked", WEIGHTS, WEIGHT, "<= last_group;", "<= 1'b0;"),
    fault("scales are loaded with every beat", WEIGHTS, WEIGHT, "= beat_fires && beat_q == '0;", "= beat_fires;"),
    fault(
        "beats of a ragged block are rounded down",
        WEIGHTS,
        WEIGHT,
        "ColumnBeats + BeatColumns - 1) / BeatColumns",
        "ColumnBeats) / BeatColumns",
    ),
    fault(
        "the count of groups goes on into the next operation",
        WEIGHTS,
        WEIGHT,
        "last_group ? '0 : group_q + 1'b1",
        "group_q + 1'b1",
    ),
    fault(
        "a scale of zero is shifted with its digit",
        DIGITS,
        WEIGHT,
        "widened[17:10] == '0 ? 8'd0 : widened[17:10]",
        "widened[17:10]",
    ),
    fault(
        "an operation is taken with the first beat of its last block",
        ZERO_POINTS,
        WEIGHT,
        "beat_fires && last_beat && last_group",
        "beat_fires && last_group",
    ),
)
