"""The matrix unit against the simulator: random GeMMs, stalls at every port, cycle for cycle, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.arch.schema import Schedule
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.operands import ceil_div
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Handshakes, Offer, RtlCase, Want, pack
from sim.rtl.checks.build import Design
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.coverage import of_work
from sim.rtl.checks.randomness import arrivals, gaps, pattern, tokens
from sim.rtl.checks.reference import HandshakeTrace, Stalls, run_matrix
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.stimulus import Work, aimed, cancelling, random_values, random_weights, with_small_groups

LEAST_CODE = 1 / 100
"""Of a token's largest value: what is no code of 0 when it is quantised to 8 bits."""
SPAN = 128
"""Weights under one scale, where a PE leaves the choice."""


@dataclass(frozen=True)
class PreparedCase:
    """A case for both sides."""

    work: Work
    stalls: Stalls
    case: RtlCase


def random_work(
    shape: Shape, rng: random.Random, *, tokens: int, outputs: int, groups: int = 6, widths: Sequence[int] = (4,)
) -> Work:
    """A GeMM, weights of one of these widths, and a schedule: ragged or not, resident or not, one chunk or several."""
    group, tile = shape.group_size, shape.columns
    run = max(group, tile) if group % tile == 0 else group * tile
    chunk = rng.choice([1, 2, 3])
    count = rng.randint(1, groups)
    k = max(1, count * group - rng.choice([0, 0, 1, group // 2]))
    m, n = rng.randint(1, tokens * shape.rows), rng.randint(1, outputs * tile)
    token_block = rng.choice([shape.rows, 2 * shape.rows, rng.randint(1, 3 * shape.rows)])
    stretch = chunk * group if rng.random() < 0.4 else (count + 4) * group
    schedule = Schedule(
        token_block=token_block,
        output_block=run,
        k_block=chunk * group,
        order=rng.choice(["tokens_outer", "outputs_outer"]),
    )
    activation_bytes = (token_block + shape.rows) * stretch * 17 // 8 + 64
    arch = shape.cut(schedule, activation_bytes, run * stretch + 24 * run + 64)
    tame = shape.compressor_lanes > 0
    values = np.random.default_rng(rng.getrandbits(32))
    # Sums of integer PEs are of all values under one scale: here of one dot product or two, or of all of K.
    span = rng.choice([group, 2 * group, k]) if shape.pe.quantised else SPAN
    zero_points = shape.weight_bits > shape.code_bits
    weights = random_weights(values, n, k, zero_points, tame, rng.choice(widths), span)
    activations = random_values(values, (m, k), tame)
    if values.random() < 0.3:
        activations = with_small_groups(values, activations, group)
    if values.random() < 0.3:
        activations, weights = cancelling(values, activations, weights, LEAST_CODE if shape.pe.quantised else 0)
    work = Work(shape, arch, activations, weights, rng.randint(1, 16), rng.randint(1, 16))
    one_span = weights.scales.shape[-1] == 1
    return replace(work, weights=aimed(work, values, tame)) if one_span and values.random() < 0.6 else work


def random_stalls(work: Work, rng: random.Random) -> Stalls:
    """From none at all to mostly closed, port by port."""
    ops = work.operations
    return Stalls(
        weight_chunks=arrivals(rng, sum(op.takes_weights for op in ops)),
        activation_chunks=arrivals(rng, sum(op.takes_activations for op in ops)),
        weight_gaps=gaps(rng, len(work.weight_signals["weight_codes_i"])),
        activation_gaps=gaps(rng, len(work.activation_signals["activation_i"])),
        space=arrivals(rng, sum(op.closes_tile and op.run_columns > 0 for op in ops)),
        pattern=pattern(rng),
    )


def no_stalls(work: Work) -> Stalls:
    """Everything is there at once, and everything is taken."""
    ops = work.operations

    def zeros(count: int) -> NDArray[np.int64]:
        return np.zeros(count, np.int64)

    return Stalls(
        weight_chunks=zeros(sum(op.takes_weights for op in ops)),
        activation_chunks=zeros(sum(op.takes_activations for op in ops)),
        weight_gaps=zeros(len(work.weight_signals["weight_codes_i"])),
        activation_gaps=zeros(len(work.activation_signals["activation_i"])),
        space=zeros(sum(op.closes_tile and op.run_columns > 0 for op in ops)),
        pattern=np.ones(1, np.int64),
    )


def prepare(design: Design, work: Work, stalls: Stalls) -> PreparedCase:
    """The beats of a GeMM, and what holds them up."""
    ports = {port.name: port for port in design.sources}
    ops, shape = work.operations, work.shape
    weights = pack(ports["weight"], work.weight_signals)
    activations = pack(ports["activation"], work.activation_signals)
    op_at, arrivals = np.zeros(len(ops), np.int64), iter(stalls.weight_chunks)
    for i, op in enumerate(ops):
        if op.takes_weights:
            op_at[i] = next(arrivals)
    offers = {
        "op": Offer(pack(ports["op"], {"op_i": work.op_bits()}), op_at, np.zeros_like(op_at)),
        "weight": Offer(weights, np.zeros(len(weights)), stalls.weight_gaps),
        "chunk": tokens(stalls.activation_chunks),
        "activation": Offer(activations, np.zeros(len(activations)), stalls.activation_gaps),
    }
    closing = list(work.closing())
    wants = {
        "group": Want(sum(op.groups for op in ops)),
        "word": Want(sum(op.groups for op in ops) * work.words),
        "output": Want(sum(shape.output_beats(placed.op.rows) for placed in closing), stalls.pattern),
    }
    config = {"mantissa_bits_i": work.mantissa_bits, "digits_i": work.passes, "digit_bits_i": shape.code_bits}
    config["scale_groups_i"] = work.scale_groups
    if shape.compressor_lanes:
        passes = [ceil_div(p.op.rows, shape.compressor_lanes) for p in closing if p.op.run_columns]
        wants["row"] = Want(sum(passes) * (work.output_mantissa_bits + 1), stalls.pattern)
        wants["handover"] = Want(len(passes))
        offers["slot"] = tokens(stalls.space)
        config["output_mantissa_bits_i"] = work.output_mantissa_bits
    else:
        offers["grant"] = tokens(stalls.space)
    return PreparedCase(work, stalls, RtlCase(offers, wants, config))


def reference(prepared: PreparedCase) -> HandshakeTrace:
    """The simulator's handshakes, its units held up as the RTL is."""
    work = prepared.work
    return derived(work, run_matrix(work.arch, work.shape.pe, work.operations, prepared.stalls))


def derived(work: Work, trace: HandshakeTrace) -> HandshakeTrace:
    """The same with the handshakes that follow from others: of operations, chunks, and room for blocks."""
    starts, beats = iter(trace.handshakes["group"]), iter(trace.handshakes["weight"])
    activations = iter(trace.handshakes["activation"])
    chunks, ops, words = trace.open("chunk"), trace.open("op"), trace.open("word")
    for op in work.operations:
        group_starts = [next(starts) for _ in range(op.groups)]
        loads = [next(beats) for _ in range(op.groups * work.shape.weight_beats(op.columns))]
        # A word is taken with its last beat, an operation with that of its weights.
        ops.append(loads[-1])
        first, other = work.word_beats(op)
        for count in (first, *(other,) * (work.words - 1)) * op.groups:
            words.append([next(activations) for _ in range(count)][-1])
        if op.takes_activations:  # a chunk of activations: when the first group begins
            chunks.append(group_starts[0])
    trace.handshakes["slot" if work.shape.compressor_lanes else "grant"] = trace.handshakes.pop("space")
    return trace


def compare(work: Work, trace: HandshakeTrace, seen: dict[str, Handshakes]) -> Comparison:
    """The simulator and the RTL side by side."""
    comparison = Comparison(covered=of_work(work))
    for port, handshakes in seen.items():
        if port != "word":
            comparison.cycles(port, trace.handshakes[port], handshakes)
    comparison.payload("output_o", work.output_bits(), seen["output"])
    comparison.probe("working_o", trace.handshakes["word"], seen["word"], work.working())
    if work.shape.compressor_lanes:
        rows, exponents = work.encoded_rows()
        comparison.payload("row_o", rows, seen["row"])
        sign_rows = seen["row"].payload["sign_row_o"] > 0
        shown = np.where(sign_rows, seen["row"].payload["row_exponents_o"], 0)
        wanted = np.packbits(bench.to_bits(exponents, EXPONENT_BITS), axis=1, bitorder="little")
        comparison.equal("row_exponents_o", wanted, shown[:, : wanted.shape[1]])
    return comparison


def check(
    shape: Shape, design: Design, seeds: Sequence[int], tokens: int, outputs: int, widths: Sequence[int] = (4,)
) -> list[Comparison]:
    """One GeMM a seed, its weights of one of these widths, with the stalls of its seed; the differences of each."""
    prepared = []
    for seed in seeds:
        rng = random.Random(seed)
        work = random_work(shape, rng, tokens=tokens, outputs=outputs, widths=widths)
        prepared.append(prepare(design, work, random_stalls(work, rng)))
    results = bench.run(design, [one.case for one in prepared])
    return [compare(one.work, reference(one), seen) for one, seen in zip(prepared, results, strict=True)]
