"""Timing diagrams, each drawn from a run of the RTL.

One column a cycle from the end of reset; # is a handshake, or the event that a probe shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sim.arch.schema import Schedule
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Handshakes
from sim.rtl.checks.matrix import no_stalls, prepare
from sim.rtl.checks.reference import Stalls
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.stimulus import Work, random_values, random_weights

RULER = 10
ROWS_OPEN_AT = 150
PORTS = {
    "weight": "weight beats",
    "group": "group begins",
    "activation": "activation beats",
    "output": "collector beats",
    "handover": "hand-over",
    "row": "rows",
}

ANDA = Shape("anda-hpca25", 4, 4, 16, 5, 64, 128, 5, 64, registers=3, compressor_lanes=2)
FP_FP = Shape("fp-fp", 2, 2, weight_port=256, activation_port=64, collector_port=64)
MANTISSA_BITS, OUTPUT_MANTISSA_BITS = 7, 5


def diagrams() -> dict[str, str]:
    """Every diagram, by what it shows."""
    anda, long = _work(ANDA, tokens=4, length=32, outputs=16), _work(ANDA, tokens=4, length=16, outputs=48)
    fp_fp = _work(FP_FP, tokens=2, length=64, outputs=4)
    free, full = no_stalls(anda), no_stalls(long)
    unstalled = _run(anda, free)
    starved = _run(anda, replace(free, weight_gaps=free.weight_gaps + 2))
    blocked = _run(long, replace(full, pattern=np.arange(1000) >= ROWS_OPEN_AT))
    return {
        "weight dispatcher": draw(unstalled, "weight", "group", cycles=60),
        "activation dispatcher": draw(unstalled, "group", "activation", cycles=60),
        "Anda PE": draw(unstalled, "group", "activation", "output", cycles=60),
        "MXU": draw(starved, "weight", "group", "activation", "output", cycles=100),
        "collector": draw(_run(long, full), "group", "output", "handover", "row", cycles=100),
        "BPC": draw(blocked, "group", "output", "handover", "row"),
        "bit-parallel PE": draw(_run(fp_fp, no_stalls(fp_fp)), "weight", "group", "activation", "output"),
    }


def _work(shape: Shape, tokens: int, length: int, outputs: int) -> Work:
    rng = np.random.default_rng(0)
    run = max(shape.group_size, shape.columns)
    arch = shape.cut(Schedule(token_block=shape.rows, output_block=run, k_block=length), 1 << 20, 1 << 20)
    values = random_values(rng, (tokens, length), tame=True)
    weights = random_weights(rng, outputs, length, zero_points=False, tame=True)
    return Work(shape, arch, values, weights, MANTISSA_BITS, OUTPUT_MANTISSA_BITS)


def _run(work: Work, stalls: Stalls) -> dict[str, Handshakes]:
    design = work.shape.design()
    (seen,) = bench.run(design, [prepare(design, work, stalls).case])
    return seen


def draw(seen: Mapping[str, Handshakes], *ports: str, cycles: int | None = None) -> str:
    """A line a port, a column a cycle; up to the last event unless told."""
    cycles = cycles or 1 + max(int(seen[port].cycles.max()) for port in ports)
    wide = max(len(PORTS[port]) for port in ports)
    ruler = "".join(f"{cycle:<{RULER}}" for cycle in range(0, cycles, RULER))
    lines = [f"{'cycle':<{wide}}  {ruler.rstrip()}"]
    for port in ports:
        marks = np.full(cycles, ".")
        marks[seen[port].cycles[seen[port].cycles < cycles]] = "#"
        lines.append(f"{PORTS[port]:<{wide}}  {''.join(marks)}")
    return "\n".join(lines)
