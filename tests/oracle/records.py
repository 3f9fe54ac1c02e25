"""What the automata share: names of loops, units, states, tokens and counters, and the records of their numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

NEVER = 1 << 62

LEVELS = 7
OUTER, INNER, ROW, RUN, TILE, CHUNK, GROUP = range(LEVELS)
"""Loops, outermost first. Sets of loops are integers with a bit for each."""
ALL = (1 << LEVELS) - 1
CHUNKS, TILES, RUNS = ALL >> 1, ALL >> 2, ALL >> 3
"""The loops down to chunks, to tiles, to runs of tiles."""

WEIGHTS, ACTIVATIONS, OUTPUTS = PORTS = (0, 1, 2)
"""Also the ports of DRAM. What an operand has of its own stands at a name below plus its number."""

UNITS = (
    *("controller", "weight_loader", "activation_loader", "weight_buffer", "activation_buffer"),
    *("weight_dispatcher", "activation_dispatcher", "mxu", "collector", "bpc", "writer"),
)
CONTROLLER, LOADER, _, BUFFER, _, WEIGHT_PORT, ACTIVATION_PORT, MXU, COLLECTOR, BPC, WRITER = range(len(UNITS))

STATES = ("IDLE", "BUSY", "WEIGHTS", "ACTIVATIONS", "OUTPUT_SPACE", "BUFFER_SPACE", "DRAM", "DEPENDENCY")
IDLE, BUSY, NO_WEIGHTS, NO_ACTIVATIONS, NO_OUTPUT_SPACE, NO_BUFFER_SPACE, IN_DRAM, DEPENDENCY = range(len(STATES))

SPACE, BLOCKS, LOADS, ARRIVED, READY = range(0, 10, 2)
LAUNCHED, SHADOW, REGISTERS, CLOSED, DRAINED, GATHER, GATHERED, EMITTING, SLOTS, FINISHED, STORED = range(10, 21)
TOKENS = 21
"""Free: bytes, blocks, loads, registers, gather registers, slots. Full: shadow registers. To do: all others."""

COUNTERS = (
    *("weight_loader.requests", "activation_loader.requests"),
    *("weight_loader.requested_bytes", "activation_loader.requested_bytes"),
    *("weight_buffer.filled_bytes", "activation_buffer.filled_bytes"),
    *("weight_buffer.filled_side_bytes", "activation_buffer.filled_side_bytes"),
    *("weight_buffer.fill_beats", "activation_buffer.fill_beats"),
    *("dram.weight_bytes", "dram.activation_bytes", "dram.output_bytes", "dram.transactions", "dram.busy_ticks"),
    *("weight_dispatcher.beats", "weight_dispatcher.read_bits", "activation_dispatcher.beats"),
    *("activation_dispatcher.read_bits", "activation_dispatcher.exponent_read_bits"),
    *("mxu.macs", "mxu.groups", "mxu.tiles", "mxu.pe_cycles", "collector.beats", "bpc.rows", "bpc.groups"),
    *("writer.blocks", "writer.written_bytes", "writer.written_values", "mxu.fill_cycles"),
    *("mxu.weights_wait_channel_busy_cycles", "mxu.weights_wait_channel_idle_cycles"),
    *("mxu.activations_wait_channel_busy_cycles", "mxu.activations_wait_channel_idle_cycles"),
    *("mxu.output_space_wait_channel_busy_cycles", "mxu.output_space_wait_channel_idle_cycles"),
    *("activation_dispatcher.scale_read_bits", "collector.additions"),
)
REQUESTS, REQUESTED, FILLED, FILLED_SIDE, FILL_BEATS, MOVED = range(0, 12, 2)
TRANSACTIONS, BUSY_TICKS, WEIGHT_BEATS, WEIGHT_BITS, ACTIVATION_BEATS, ACTIVATION_BITS, EXPONENT_BITS = range(13, 20)
MACS, GROUPS, TILES_DONE, PE_CYCLES, DRAIN_BEATS, BPC_ROWS, BPC_GROUPS, STORES, WRITTEN, VALUES = range(20, 30)
FILL_CYCLES, WAITED, SCALE_BITS, ADDITIONS = 30, 31, 37, 38
"""Waits in the order of the states, each beside a busy and beside an idle channel."""

PLACES = 64
"""Of the rings for requests and tiles on their way; more than any machine here has at once."""


def _record(*names: str, **shapes: tuple[int, ...]) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64, shapes.get(name, ())) for name in (*names, *shapes)])


_version = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
"""Part of the machine's type: Numba's cache looks at one file only, and a change in any of them must compile anew."""

MACHINE = _record(
    *("tokens", "token_block", "rows", "outputs", "output_block", "columns", "tile_columns", "run_tiles"),
    *("mxu_rows", "parts"),  # of one MXU; MXUs that split K
    *("tokens_outer", "outer_blocks", "inner_blocks", "k", "group", "groups", "chunk_groups", "chunks"),
    *("words", "word_bits", "activation_port_bits", "exponent_port_bits", "weight_port_bits"),  # no exponents: 0
    *(
        "mantissa_bits",
        "output_mantissa_bits",
        "weight_bits",
        "weight_group",
        "scale_bits",
        "passes",
        "digit_bits",
    ),  # FP16: 0
    "token_bits",  # of an integer under a scale a token; no such ones: 0
    *("registers", "pipeline_cycles", "collector_port_bits", "lanes", "slots", "launch_cycles"),  # no compressor: 0
    *("loads", "latency_cycles", "burst_bytes", "transaction_bytes", "policy"),
    *("ticks_per_cycle", "tick_dividend", "tick_divisor"),  # b bytes: ceil(b * dividend / divisor) ticks
    f"version_{_version.hexdigest()}",
    buffer_bytes=(2,),
    side_bytes=(2,),
    blocks=(2,),
    fill_port_bits=(2,),
)
"""A GeMM and the machine it runs on, as plain numbers."""

STATE = _record(
    at=(len(UNITS), LEVELS),  # where each unit stands in the nest
    wake=(len(UNITS),),  # when its present work ends
    doing=(len(UNITS),),  # its state
    time=(len(UNITS), len(STATES)),  # its ledger
    pace=(len(UNITS),),  # cycles of a group, where it works group by group
    have=(TOKENS,),
    counts=(len(COUNTERS),),
    loops=(2,),  # that the chunks of an operand go through
    inside=(2,),  # those of them within a block of the operand
    next_bytes=(2,),  # of the chunk that a loader stands at
    next_opens=(2,),  # whether it is the first of a block
    requests=(3, 3),  # of each port: so far, left the channel, delivered
    asked_at=(3, PLACES),  # rings
    bytes_left=(3, PLACES),
    done_at=(3, PLACES),
    ready_at=(PLACES,),
    port_until=(1,),  # the MXU waits for the weight port, were all weights there
    channel=(2,),  # tick at which it frees; port that round robin looks at first
)
"""What changes."""
