"""Faults of the compressor and the quantiser."""

from __future__ import annotations

from sim.rtl.checks.planted.fault import fault

ONE_LANE = "BPC 2 x 8, groups of 128, 1 lane"
TWO_LANES = "BPC 4 x 4, groups of 16, 2 lanes"
FOUR_PASSES = "BPC 7 x 4, groups of 32, 2 lanes"
QUANTISER = "quantiser INT8, 3 lanes"
BPC, LANE, DIVIDER = "bpc.sv", "bpc_lane.sv", "quantiser.sv"

FAULTS = (
    fault(
        "a run is handed over while the lanes emit",
        TWO_LANES,
        BPC,
        "handover      = full_q && left_q == '0 && slot_valid_i",
        "handover      = full_q && slot_valid_i",
    ),
    fault(
        "the tile index goes on into the next run",
        TWO_LANES,
        BPC,
        "run_last_i ? '0 : tile_q + 1'b1",
        "tile_q + 1'b1",
    ),
    fault(
        "the third pass repeats the second", FOUR_PASSES, BPC, "else if (reload) waiting_q", "else if (1'b0) waiting_q"
    ),
    fault(
        "a pass too many where the groups fill the lanes",
        FOUR_PASSES,
        BPC,
        "pass_ends && left_q > 8'(Lanes)",
        "pass_ends && left_q >= 8'(Lanes)",
        equivalent="the pass that it asks for has no groups: left_q becomes 0 as it would, and no row leaves",
    ),
    fault(
        "gather registers are given back when the last row has left",
        TWO_LANES,
        BPC,
        "if (handover) {taken_q, full_q} <= 2'b00;",
        "if (handover) full_q <= 1'b0;\n      else if (pass_ends && !reload) taken_q <= 1'b0;",
    ),
    fault("two runs are granted at a time", TWO_LANES, BPC, "grant_valid_o = !taken_q", "grant_valid_o = 1'b1"),
    fault(
        "rows of a run are those of its first beat",
        FOUR_PASSES,
        BPC,
        "if (beat_fires) rows_q <= rows_i;",
        "if (beat_fires && beat_q == '0 && tile_q == '0) rows_q <= rows_i;",
        equivalent="a run is of one row tile: all its beats come with as many rows",
    ),
    fault(
        "the largest exponent leaves out the last value",
        ONE_LANE,
        LANE,
        "i + step < GroupSize;",
        "i + step < GroupSize - 1;",
    ),
    fault(
        "subnormals stand under exponent 0",
        TWO_LANES,
        LANE,
        "group_i[i][14:10] == '0 ? 5'd1 : group_i[i][14:10]",
        "group_i[i][14:10]",
    ),
    fault(
        "a value below the largest begins to shift one row late",
        TWO_LANES,
        LANE,
        "<= largest - distance_q[i];",
        "<= largest == distance_q[i] ? '0 : largest - distance_q[i] + 5'd1;",
    ),
    fault(
        "distances of 16 and more lose their top bit",
        TWO_LANES,
        LANE,
        "<= largest - distance_q[i];",
        "<= 5'(4'(largest - distance_q[i]));",
    ),
    fault(
        "the largest is compared with its sign",
        QUANTISER,
        DIVIDER,
        "larger[i] = beat_i[i][14:0];",
        "larger[i] = beat_i[i][15] ? '0 : beat_i[i][14:0];",
    ),
    fault("a token of zeros has a scale of zero", QUANTISER, DIVIDER, "rounded == '0 ? 12'd1 : rounded", "rounded"),
    fault(
        "codes go one beyond the largest",
        QUANTISER,
        DIVIDER,
        "12'((1 << (Bits - 1)) - 1)",
        "12'(1 << (Bits - 1))",
    ),
    fault(
        "small tokens are raised beyond FP16's exponents",
        QUANTISER,
        DIVIDER,
        "spare < 5'(Bits - 1) ? spare[3:0] : 4'(Bits - 1)",
        "4'(Bits - 1)",
    ),
)
