"""Faults of the matrix unit and the collector."""

from __future__ import annotations

from sim.rtl.checks.planted.fault import fault

MXU = "MXU 2 x 2, groups of 64"
THREE_REGISTERS = "MXU and BPC 4 x 4, groups of 16, zero points, 2 lanes, 3 output registers"
SLICES = "APU 1 x 2, groups of 128, zero points"
SLICED_INTEGERS = "INT8 x INT4 PE, sliced weights of 7 and 8 bits, zero points"
COLLECTOR = "collector 4 x 2, 192 b"
ARRAY, DRAIN = "mxu.sv", "collector.sv"

FAULTS = (
    fault(
        "a chunk of activations is taken with every group of an operation",
        MXU,
        ARRAY,
        "starts && block_first_i && block_op_i.takes_activations",
        "starts && block_op_i.takes_activations",
    ),
    fault(
        "an output register is given back when it is written",
        MXU,
        ARRAY,
        "CountBits'(opens_tile) + CountBits'(tile_fires)",
        "CountBits'(opens_tile) + CountBits'(tile_written)",
    ),
    fault(
        "register sets are walked through one too far",
        THREE_REGISTERS,
        ARRAY,
        "set == SetBits'(Registers - 1)",
        "set == SetBits'(Registers)",
    ),
    fault("every group closes its tile", MXU, ARRAY, "closes: last_group && op.closes_tile", "closes: op.closes_tile"),
    fault(
        "every group of an operation opens its tile", MXU, ARRAY, "= first_group && op.opens_tile;", "= op.opens_tile;"
    ),
    fault(
        "the operation at the port is used, not that of the group at work",
        MXU,
        ARRAY,
        "= starts ? block_op_i : op_q;",
        "= block_op_i;",
    ),
    fault(
        "one output register fewer after reset",
        MXU,
        ARRAY,
        "<= CountBits'(Registers);",
        "<= CountBits'(Registers - 1);",
    ),
    fault(
        "what a tile is called is read from the set that is written next",
        MXU,
        ARRAY,
        "= tiles_q[read_set_q]",
        "= tiles_q[write_set_q]",
    ),
    fault(
        "a sum is over after so many groups, not passes",
        SLICED_INTEGERS,
        ARRAY,
        "12'(scale_groups_i) * 12'(digits_i)",
        "12'(scale_groups_i)",
    ),
    fault(
        "slices of a column are loaded in reverse",
        SLICES,
        ARRAY,
        "BeatBits'((c * Slices + s) / BeatColumns)",
        "BeatBits'((c * Slices + Slices - 1 - s) / BeatColumns)",
    ),
    fault(
        "columns beyond the tile are not zero",
        COLLECTOR,
        DRAIN,
        "8'(r) < tile_i.rows && 8'(c) < tile_i.columns ?",
        "8'(r) < tile_i.rows ?",
    ),
    fault(
        "rows beyond the tile are not zero",
        COLLECTOR,
        DRAIN,
        "8'(r) < tile_i.rows && 8'(c) < tile_i.columns ?",
        "8'(c) < tile_i.columns ?",
    ),
    fault(
        "beats of a tile are rounded down",
        COLLECTOR,
        DRAIN,
        "(32'(tile_i.rows) * Columns * 16 + PortBits - 1) / PortBits",
        "(32'(tile_i.rows) * Columns * 16) / PortBits",
    ),
    fault(
        "every tile waits for a grant",
        COLLECTOR,
        DRAIN,
        "tile_valid_i && tile_i.run_opens && !granted_q",
        "tile_valid_i && !granted_q",
    ),
    fault("a grant is kept for the next run", COLLECTOR, DRAIN, "if (tile_ready_o) granted_q", "if (1'b0) granted_q"),
    fault("every tile ends its run", COLLECTOR, DRAIN, "last_o && tile_i.run_closes", "last_o"),
    fault(
        "rows beyond the tile work",
        MXU,
        ARRAY,
        "pe_flags       = column_flags;\n          pe_flags.valid = column_flags.valid && op.rows > 8'(r);",
        "pe_flags       = column_flags;\n          pe_flags.valid = column_flags.valid;",
    ),
    fault(
        "columns beyond the tile work",
        MXU,
        ARRAY,
        "column_flags.valid = flags.valid && op.columns > 8'(c);",
        "column_flags.valid = flags.valid;",
    ),
)
