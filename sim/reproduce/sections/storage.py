"""Storage by mantissa length: bytes that activations take on their way from DRAM, FP16 against Anda."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults, PaperCase
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table
from sim.reproduce.published import Published
from sim.result import Result

MODEL = "llama-13b"


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Every activation of a prefill is loaded once on both machines, so the ratio of bytes is that of storage."""
    lengths = list(paper.storage.compression)
    base, *others = bench(
        [PaperCase("fp-fp", MODEL), *(PaperCase("anda-hpca25", MODEL, str(bits)) for bits in lengths)]
    )
    cells = tuple(
        PaperCell(
            "FP16 over Anda", str(bits), _bytes(base) / _bytes(result), paper.storage.compression[bits], Role.INPUT
        )
        for bits, result in zip(lengths, others, strict=True)
    )
    table = Table(
        "compression",
        "bytes of FP16 over bytes of Anda",
        cells,
        unit="x",
        picture="lines",
        corner="",
        x_title="mantissa bits",
    )
    return PaperSection(
        "storage",
        "Storage by mantissa length",
        (table,),
        place=f"{paper.storage.place}; {paper.storage.derived}",
        note=f"DRAM bytes of the activations that a prefill of {MODEL} loads, shared exponents and bursts included: "
        "arithmetic on the format, which is an input.",
    )


def _bytes(result: Result) -> int:
    return result.counters["dram.activation_bytes"]
