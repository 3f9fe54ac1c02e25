"""Timing diagrams of docs/microarchitecture.md, each drawn from a run of the RTL.

    python -m sim.rtl.diagrams        writes them into the page, between its markers

One column a cycle from the end of reset; # is a handshake, or the event that a probe shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sim.arch.schema import Schedule
from sim.rtl import bench
from sim.rtl.bench import Handshakes
from sim.rtl.checks.matrix import no_stalls, prepare
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.stimulus import Work, random_values, random_weights
from sim.rtl.reference import Stalls
from sim.shipped import ROOT

PAGE = ROOT / "docs" / "microarchitecture.md"
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


def diagrams() -> dict[str, str]:
    """Every diagram, by its marker."""
    anda, long = _work(ANDA, tokens=4, length=32, outputs=16), _work(ANDA, tokens=4, length=16, outputs=48)
    fp_fp = _work(FP_FP, tokens=2, length=64, outputs=4)
    free = no_stalls(anda)
    closed = np.arange(1000) >= ROWS_OPEN_AT
    return {
        "unstalled": _draw(anda, free),
        "starving weights": _draw(anda, replace(free, weight_gaps=free.weight_gaps + 2)),
        "blocked rows": _draw(long, replace(no_stalls(long), pattern=closed)),
        "fp-fp": _draw(fp_fp, no_stalls(fp_fp)),
    }


def _work(shape: Shape, tokens: int, length: int, outputs: int) -> Work:
    rng = np.random.default_rng(0)
    run = max(shape.group_size, shape.columns)
    arch = shape.cut(Schedule(token_block=shape.rows, output_block=run, k_block=length), 1 << 20, 1 << 20)
    values = random_values(rng, (tokens, length), tame=True)
    weights = random_weights(rng, outputs, length, zero_points=False, tame=True)
    return Work(shape, arch, values, weights, mantissa_bits=7, output_mantissa_bits=5)


def _draw(work: Work, stalls: Stalls) -> str:
    design = work.shape.design()
    (seen,) = bench.run(design, [prepare(design, work, stalls).case])
    return draw({name: seen[port] for port, name in PORTS.items() if port in seen})


def draw(handshakes: Mapping[str, Handshakes]) -> str:
    """A line a port, a column a cycle."""
    cycles = 1 + max(int(port.cycles.max()) for port in handshakes.values())
    wide = max(map(len, handshakes))
    ruler = "".join(f"{cycle:<{RULER}}" for cycle in range(0, cycles, RULER))
    lines = [f"{'cycle':<{wide}}  {ruler.rstrip()}"]
    for name, port in handshakes.items():
        marks = np.full(cycles, ".")
        marks[port.cycles] = "#"
        lines.append(f"{name:<{wide}}  {''.join(marks)}")
    return "\n".join(lines)


def drawn_into(page: str, pictures: Mapping[str, str]) -> str:
    """The page with a diagram behind each of its markers.

    Raises
    ------
    KeyError
        For a marker of which there is no diagram.
    """
    return "\n".join(_lines(page.split("\n"), pictures))


def _lines(lines: Sequence[str], pictures: Mapping[str, str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith("<!-- diagram: "):
            yield line
            yield from ("```text", pictures[line.removeprefix("<!-- diagram: ").removesuffix(" -->")], "```")
            inside = True
        elif line == "<!-- end -->":
            inside = False
        if not inside:
            yield line


if __name__ == "__main__":
    PAGE.write_text(drawn_into(PAGE.read_text(), diagrams()))
