"""Beyond the paper: where Anda's advantage ends - bandwidth, batch, precision, context."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sim.reproduce.bench import CaseResults, PaperCase
from sim.reproduce.cells import PaperCell, PaperSection, Table, alone
from sim.reproduce.published import Published
from sim.reproduce.systems import LABELS, energy_ratio, speedup
from sim.result import Result

MODEL, PRECISION = "llama-13b", "wikitext2-1%"
MACHINES = ("figna", "figna-m8", "anda-hpca25")
BANDWIDTHS = (4, 8, 16, 32, 64, 128, 256)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LENGTHS = range(1, 17)
CONTEXTS = (1024, 4096, 16384)


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Speedup over FP-FP along one axis at a time."""
    prefill, decode = (
        _along(bench, BANDWIDTHS, partial(_bandwidth, options), lambda base, own: speedup(base, own, "times"))
        for options in ((), (("phase", "decode"), ("context", 2048), ("batch", 16)))
    )
    batches = _along(
        bench,
        BATCHES,
        lambda value: {"options": (("phase", "decode"), ("context", 2048), ("batch", value))},
        lambda base, own: own.totals.macs / own.totals.seconds * 1e-9,
        with_base=True,
    )
    return PaperSection(
        "limits",
        "Where Anda's advantage ends",
        (
            Table(
                "bandwidth, prefill", "speedup over FP-FP", prefill, unit="x", picture="lines",
                x_title="DRAM bandwidth, GB/s", log_x=True,
                note="With the paper's schedules: Anda's 32-token blocks read the weights half as often.",
            ),
            Table(
                "bandwidth, decode of 16 sequences", "speedup over FP-FP", decode, unit="x", picture="lines",
                x_title="DRAM bandwidth, GB/s", log_x=True,
                note="Every machine reads the same INT4 weights once a step, so scarce bandwidth makes them equal.",
            ),
            Table(
                "batch", "10⁹ MACs a second, decode", batches, digits=1, picture="lines", x_title="sequences",
                log_x=True,
            ),
            *_precision(bench),
        ),
        note=f"{MODEL}, weight GeMMs, Anda with its {PRECISION} mantissa lengths unless M is given.",
    )  # fmt: skip


def contexts(paper: Published, bench: CaseResults) -> PaperSection:
    """Everything a layer does: attention fused on the MXU, with keys and values as integers of 8 bits."""
    prefill = ((tokens, (("tokens", tokens), ("scope", "all"))) for tokens in CONTEXTS)
    decode = (
        (tokens, (("phase", "decode"), ("context", tokens), ("batch", 16), ("scope", "all"))) for tokens in CONTEXTS
    )
    tables = []
    for phase, points in (("prefill", prefill), ("decode, batch 16", decode)):
        fast, share = [], []
        for tokens, options in points:
            results = bench([_case(arch, options=options) for arch in ("fp-fp", *MACHINES)])
            for arch, own in zip(("fp-fp", *MACHINES), results, strict=True):
                fast.append(alone(LABELS[arch], str(tokens), speedup(results[0], own, "times")))
                attention = own.modules["attention"].cycles
                share.append(alone(LABELS[arch], str(tokens), 100 * attention / own.totals.cycles))
        shared: dict[str, Any] = {"picture": "lines", "x_title": "context, tokens", "log_x": True}
        tables += [
            Table(f"speedup, {phase}", "speedup over FP-FP", tuple(fast), unit="x", **shared),
            Table(f"attention, {phase}", "% of time in attention", tuple(share), unit="%", digits=1, **shared),
        ]
    return PaperSection(
        "contexts",
        "Contexts to 16K",
        tuple(tables),
        note=f"{MODEL}, everything a layer does. The paper leaves attention open: here all machines fuse it on "
        "their MXU, with keys and values of 8 bits, which integer PEs take in two digits.",
    )


def _precision(bench: CaseResults) -> tuple[Table, ...]:
    base, figna, m8 = bench([_case(arch) for arch in ("fp-fp", "figna", "figna-m8")])
    runs = dict(zip(LENGTHS, bench([PaperCase("anda-hpca25", MODEL, str(bits)) for bits in LENGTHS]), strict=True))
    rows = {"FP-FP": base, "FIGNA": figna, "FIGNA-M8": m8}
    return tuple(
        Table(
            f"precision, {name}", f"{name} of Anda over another machine",
            tuple(alone(f"over {other}", str(bits), ratio(theirs, own))
                  for other, theirs in rows.items() for bits, own in runs.items()),
            unit="x", picture="lines", corner="", x_title="mantissa bits of all modules",
        )
        for name, ratio in (
            ("speedup", lambda theirs, own: speedup(theirs, own, "times")),
            ("energy efficiency", lambda theirs, own: energy_ratio(theirs, own, "times")),
            ("area efficiency", _area_efficiency),
        )
    )  # fmt: skip


def _area_efficiency(theirs: Result, own: Result) -> float:
    areas = theirs.totals.area_square_millimetres / own.totals.area_square_millimetres
    return speedup(theirs, own, "times") * areas


def _bandwidth(options: tuple[tuple[str, Any], ...], value: int) -> dict[str, Any]:
    return {"options": options, "arch_overrides": (f"dram.bandwidth_gigabytes_per_second={value}",)}


def _along(
    bench: CaseResults,
    values: tuple[int, ...],
    change: Callable[[int], dict[str, Any]],
    measure: Callable[[Result, Result], float],
    *,
    with_base: bool = False,
) -> tuple[PaperCell, ...]:
    """The measure of each machine beside FP-FP, the same change made to both."""
    machines = ("fp-fp", *MACHINES) if with_base else MACHINES
    cells = []
    for value in values:
        base, *others = bench([_case(arch, **change(value)) for arch in ("fp-fp", *machines)])
        cells += [
            alone(LABELS[arch], str(value), measure(base, own)) for arch, own in zip(machines, others, strict=True)
        ]
    return tuple(cells)


def _case(arch: str, **more: Any) -> PaperCase:
    return PaperCase(arch, MODEL, PRECISION if arch == "anda-hpca25" else "fp16", **more)
