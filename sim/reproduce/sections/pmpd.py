"""Progressive mixed-precision decoding: fewer planes of weights are read deeper in the sequence (arXiv 2410.13461)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sim import shipped, source
from sim.reproduce.bench import CaseResults, PaperCase
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table, alone
from sim.result import Result
from sim.section import Section

NPU, MODEL, BITS = "decode-npu", "pmpd-7b", 4
PLANES = (4, 3, 2)
GROUPINGS = {"a scale every 128": "128", "one scale for all": "tensor"}
BANDWIDTHS = (12.8, 25.6, 51.2, 102.4, 204.8, 409.6, 819.2, 1638.4)
WIDE = ("buffers.weight.fill_port_bits=65536",)
"""So that the DRAM or the PEs bind, whatever the bandwidth."""
FILLED = ("weight_dispatcher.fills_planes=true",)
REASON = "no one grouping gives both ends of the printed range: the lower is 4 bits with scales and zero points"


class Pmpd(Section):
    """The paper's numbers."""

    place: str
    npu_over_fp16: list[float]
    npu_over_uniform_up_to: float


@cache
def published() -> Pmpd:
    """The paper's numbers."""
    return source.validate(Pmpd, source.read(shipped.ROOT / "results" / "published" / "pmpd.yaml"))


def _case(weights: str, arch: str = NPU, overrides: tuple[str, ...] = ()) -> PaperCase:
    return PaperCase(arch, MODEL, "fp16", (*FILLED, *overrides), (f"weights={weights}",), (("steps", 1),))


def _planes(read: int, grouping: str = "128") -> str:
    return f"{{format: planes, bits: {BITS}, group_size: {grouping}, read_bits: {read}}}"


HALF = "{format: fp16}"


def section(bench: CaseResults) -> PaperSection:
    """One step of decoding with 4, 3 and 2 planes over one with FP16 weights; the shipped schedule; where it ends."""
    half, *others = bench([_case(HALF), *(_case(_planes(read, one)) for one in GROUPINGS.values() for read in PLANES)])
    found = {
        (name, read): others[len(PLANES) * number + at]
        for number, name in enumerate(GROUPINGS)
        for at, read in enumerate(PLANES)
    }
    return PaperSection(
        "pmpd",
        "Speed of decoding",
        (
            Table("cycles", "speedup of a step over FP16 weights", _speeds(half, found), unit="x", corner="planes read",
                  note="The paper's lower end stands beside 4 planes, its upper end beside 2."),
            Table("bytes", "bytes of FP16 weights over those read", _ratios(half, found), unit="x",
                  corner="planes read"),
            Table("DRAM", "% of the time at work", _busy(half, found), unit="%", digits=1, corner="planes read"),
            Table("schedule", "speedup over 4 planes at every step", _schedule(bench), unit="x", corner="",
                  note="The shipped schedule reads 4 planes for 64 steps, 3 for 128, 2 for 64: chosen here, where the "
                  f"paper's scheduler learns its steps and comes to {published().npu_over_uniform_up_to}x at most."),
            Table("bandwidth", "speedup over FP16 weights", _bandwidths(bench), unit="x", picture="lines", corner="",
                  x_title="DRAM bandwidth, GB/s", log_x=True,
                  note="With a fill port of 65,536 bits. Where the PEs bind and no longer DRAM, planes save no time: 2 "
                  "planes gain no more from where they bind, and FP16 weights catch up. On FP-FP, where one of 16 rows "
                  "has a token, they bind much earlier."),
        ),
        place=published().place,
        note="On a machine bound by memory the gain is the ratio of bytes. What fills up the planes that are not read "
        "has its area and energy (docs/costs.md).",
    )  # fmt: skip


def _speeds(half: Result, found: dict[tuple[str, int], Result]) -> tuple[PaperCell, ...]:
    ends = dict(zip((PLANES[0], PLANES[-1]), published().npu_over_fp16, strict=True))
    cells = []
    for (name, read), result in found.items():
        speed = half.totals.cycles / result.totals.cycles
        role = Role.PREDICTED if read in ends else None
        cells.append(PaperCell(str(read), name, speed, ends.get(read), role, reason=REASON))
    return tuple(cells)


def _ratios(half: Result, found: dict[tuple[str, int], Result]) -> tuple[PaperCell, ...]:
    key = "dram.weight_bytes"
    return tuple(
        alone(str(read), name, half.counters[key] / result.counters[key]) for (name, read), result in found.items()
    )


def _busy(half: Result, found: dict[tuple[str, int], Result]) -> tuple[PaperCell, ...]:
    whole = tuple(alone("FP16", name, 100 * half.ports["dram"]) for name in GROUPINGS)
    return whole + tuple(alone(str(read), name, 100 * result.ports["dram"]) for (name, read), result in found.items())


def _schedule(bench: CaseResults) -> tuple[PaperCell, ...]:
    uniform, progressive = bench([_case(_planes(BITS)), PaperCase(NPU, MODEL, "pmpd")])
    steps = 256  # of the shipped workload
    return (
        alone("4, 3, then 2 planes", "shipped schedule", steps * uniform.totals.cycles / progressive.totals.cycles),
    )


def _bandwidths(bench: CaseResults) -> tuple[PaperCell, ...]:
    return tuple(
        cell for arch, label in ((NPU, "decode-npu"), ("fp-fp", "FP-FP")) for cell in _along(bench, arch, label)
    )


def _along(bench: CaseResults, arch: str, label: str) -> Sequence[PaperCell]:
    ways = [(*WIDE, f"dram.bandwidth_gigabytes_per_second={rate}") for rate in BANDWIDTHS]
    results = bench([_case(weights, arch, way) for way in ways for weights in (HALF, _planes(4), _planes(2))])
    cells = []
    for at, rate in enumerate(BANDWIDTHS):
        half, *others = results[3 * at : 3 * at + 3]
        for read, own in zip((4, 2), others, strict=True):
            cells.append(alone(f"{label}, {read} planes", str(rate), half.totals.cycles / own.totals.cycles))
    return cells
