"""What a plan makes the units count, from the plan alone: every counter that a run of it must end with."""

from __future__ import annotations

from sim.arch.schema import Hardware
from sim.formats.widths import EXPONENT_BITS, FP16_BITS
from sim.laws.bounds import (
    Traffic,
    bursts,
    chunk_shapes,
    column_tiles,
    compress_cycles,
    plan_drain,
    run_widths,
    tile_sizes,
    word_cycles,
)
from sim.mapping.operands import Operand, ceil_div
from sim.mapping.pace import Pace
from sim.mapping.plan import Extent, Plan
from sim.mapping.vector_blocks import Blocks
from sim.workload.gemm import Quantisation, VectorWork


def gemm_counters(arch: Hardware, plan: Plan, pace: Pace, traffic: Traffic) -> dict[str, int]:
    """Counters of one GeMM by name, those of DRAM's timing left out."""
    gemm = plan.gemm
    rows, columns = tile_sizes(plan.tokens), tile_sizes(plan.outputs)
    row_tiles, tiles_across = sum(count for _, count in rows), column_tiles(plan)
    tiles = row_tiles * tiles_across
    exponents = EXPONENT_BITS if arch.activation_dispatcher.exponent_port_bits is not None else 0
    weight_beats = sum(
        count * ceil_div(min(size, arch.mxu.columns) * plan.step_bits, arch.weight_dispatcher.port_bits)
        for size, count in columns
    )
    drains = sum(plan_drain(arch, plan, size) * count for size, count in rows) * tiles_across
    runs = sum(count for _, count in run_widths(plan))
    counters = {
        "mxu.macs": gemm.m * gemm.k * gemm.n,
        "mxu.tiles": tiles,
        "mxu.groups": tiles * plan.steps,
        "mxu.pe_cycles": gemm.m * gemm.n * plan.work * pace.words,
        "weight_dispatcher.beats": row_tiles * plan.steps * weight_beats,
        "weight_dispatcher.read_bits": row_tiles * gemm.n * plan.work * (plan.step_bits + plan.side_bits),
        "activation_dispatcher.beats": tiles_across
        * plan.steps
        * sum(word_cycles(arch, pace, min(size, plan.mxu_rows)) * count for size, count in rows),
        "activation_dispatcher.read_bits": tiles_across * gemm.m * plan.work * pace.words * pace.word_bits,
        "activation_dispatcher.exponent_read_bits": tiles_across * gemm.m * plan.work * exponents,
        "collector.beats": drains,
        "dram.weight_bytes": traffic.weight_bytes,
        "weight_loader.requested_bytes": traffic.weight_bytes,
        "dram.activation_bytes": traffic.activation_bytes,
        "activation_loader.requested_bytes": traffic.activation_bytes,
        "dram.output_bytes": traffic.output_bytes,
        "writer.written_bytes": traffic.output_bytes,
        "writer.written_values": gemm.m * gemm.n,
        "writer.blocks": row_tiles * runs,
        **_filled(
            arch.buffers.weight.fill_port_bits, "weight", plan, plan.weights, plan.outputs, plan.weights_resident
        ),
        **_filled(
            arch.buffers.activation.fill_port_bits,
            "activation",
            plan,
            plan.activations,
            plan.tokens,
            plan.activations_resident,
        ),
    }
    if arch.weight_dispatcher.fills_planes:
        filled = plan.group_size if gemm.weights.filled else 0
        counters["weight_dispatcher.filled_weights"] = row_tiles * gemm.n * plan.work * filled
    if plan.split.k > 1:
        counters["collector.additions"] = gemm.m * gemm.n * (plan.split.k - 1)
    if pace.token_scale_bits:
        counters["activation_dispatcher.scale_read_bits"] = tiles_across * gemm.m * pace.token_scale_bits
    if pace.compressed_rows is not None:
        pieces = [(r, c, rc * cc) for r, rc in rows for c, cc in run_widths(plan)]
        counters["bpc.groups"] = sum(r * ceil_div(c, pace.output_group) * count for r, c, count in pieces)
        counters["bpc.rows"] = sum(
            (compress_cycles(arch, pace, r, c, plan.roots) - 1) * count for r, c, count in pieces
        )
    return counters


def vector_counters(arch: Hardware, work: VectorWork, blocks: Blocks) -> dict[str, int]:
    """Counters of vector work by name, those of DRAM's timing left out."""
    own = {"vector.operations": work.operations, "vector.read_bits": 8 * work.read_bytes}
    return own | _streamed(arch, work.read_bytes, work.write_bytes, blocks)


def quantiser_counters(arch: Hardware, work: Quantisation, blocks: Blocks) -> dict[str, int]:
    """Counters of tokens that are quantised, by name, those of DRAM's timing left out."""
    values = work.tokens * work.values
    return {
        "quantiser.tokens": work.tokens,
        "quantiser.values": values,
        "quantiser.read_bits": 2 * FP16_BITS * values,
        **({"quantiser.written_bits": FP16_BITS * values} if work.cached else {}),
        **_streamed(arch, work.read_bytes, work.write_bytes, blocks),
    }


def _streamed(arch: Hardware, read_bytes: int, write_bytes: int, blocks: Blocks) -> dict[str, int]:
    """What blocks make the buffer, DRAM and the writer count."""
    port = arch.buffers.activation.fill_port_bits
    counters = {
        "dram.weight_bytes": 0,
        "dram.activation_bytes": sum(bursts(arch, block.read_bytes) * count for block, count in blocks.kinds),
        "dram.output_bytes": sum(bursts(arch, block.write_bytes) * count for block, count in blocks.kinds),
        "writer.written_values": write_bytes,
        "writer.blocks": sum(count for block, count in blocks.kinds if block.write_bytes),
        "activation_buffer.filled_bytes": read_bytes,
        "activation_buffer.filled_side_bytes": 0,
        "activation_buffer.fill_beats": sum(ceil_div(8 * b.read_bytes, port) * count for b, count in blocks.kinds),
    }
    counters["writer.written_bytes"] = counters["dram.output_bytes"]
    if blocks.reads:
        counters["activation_loader.requests"] = blocks.count
        counters["activation_loader.requested_bytes"] = counters["dram.activation_bytes"]
    return counters


def _filled(port: int, side: str, plan: Plan, operand: Operand, extent: Extent, resident: bool) -> dict[str, int]:
    """What a buffer receives over all loads of its operand."""
    other = plan.outputs if extent is plan.tokens else plan.tokens
    loads = (
        sum(count for _, count in tile_sizes(other)) if not resident else 1 if extent is plan.outer else other.blocks
    )
    data = edge = beats = requests = 0
    for lanes, count in tile_sizes(extent):
        for groups, values in chunk_shapes(plan):
            chunk = operand.data_bytes(lanes, groups, values)
            data += count * loads * chunk
            edge += count * loads * operand.side_bytes(lanes, groups, values)
            beats += count * loads * ceil_div(8 * chunk, port)
            requests += count * loads
    return {
        f"{side}_buffer.filled_bytes": data,
        f"{side}_buffer.filled_side_bytes": edge,
        f"{side}_buffer.fill_beats": beats,
        f"{side}_loader.requests": requests,
    }
