"""The measured tables, read once.

measured/gemm.csv.xz        card, type, m, n, k, microseconds: outputs [m, n] of activations [m, k]
measured/attention.csv.xz   card, phase, heads, kv_heads, batch, tokens, microseconds: head size 128, 16-bit cache
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from gpu_ref.reference.cards import FOLDER


@dataclass(frozen=True)
class NumberType:
    """What a GeMM's operands are stored as, and which unit multiplies them.

    Attributes
    ----------
    weight_bits
        Of one weight, its scales included.
    about
        What was timed, and how.
    """

    name: str
    operand: str
    weight_bits: float
    about: str


_GRAPHS = "hot loop in a CUDA graph, mean of 6 replays"
TYPES = {
    kind.name: kind
    for kind in (
        NumberType("BF16", "bfloat16", 16, f"the framework's 16-bit product: {_GRAPHS}"),
        NumberType(
            "W4A16",
            "bfloat16",
            4,
            "TensorRT-LLM weight-only INT4, one scale a column, FP16 activations: one call under TensorRT's profiler, "
            "up to 7 us of which may be the profiler's; a current Marlin or Machete kernel may be faster",
        ),
        NumberType("FP8", "fp8", 8, f"TensorRT-LLM, activations quantised in the timed call: {_GRAPHS}"),
        NumberType("NVFP4", "fp4", 4.5, f"TensorRT-LLM, activations quantised in the timed call: {_GRAPHS}"),
    )
}

FRAMEWORKS = {
    "A100": {"BF16": "TensorRT-LLM 1.0.0", "W4A16": "TensorRT-LLM 1.0.0", "attention": "SGLang 0.5.10"},
    "H100": {
        **{"BF16": "TensorRT-LLM 1.3.0rc20", "FP8": "TensorRT-LLM 1.3.0rc20"},
        **{"W4A16": "TensorRT-LLM 1.0.0rc3", "attention": "TensorRT-LLM 1.3.0rc20"},
    },
    "H200": {
        **{"BF16": "TensorRT-LLM 1.3.0rc20", "FP8": "TensorRT-LLM 1.3.0rc20"},
        **{"W4A16": "TensorRT-LLM 1.2.0rc5", "attention": "TensorRT-LLM 1.3.0rc20"},
    },
    "B200": dict.fromkeys(("BF16", "FP8", "NVFP4", "attention"), "TensorRT-LLM 1.3.0rc20"),
}
"""Whose kernels were timed."""

ORIGIN = "NVIDIA aiconfigurator (Apache-2.0), see gpu_ref/reference/measured/README.md"


@dataclass(frozen=True)
class GemmTable:
    """Seconds by tokens m and then (n, k), of one card and type."""

    card: str
    type: NumberType
    seconds: dict[int, dict[tuple[int, int], float]] = field(default_factory=dict)

    def shapes(self) -> set[tuple[int, int]]:
        """Every (n, k) that was measured at some m."""
        return {shape for times in self.seconds.values() for shape in times}


@dataclass(frozen=True)
class AttentionTable:
    """Seconds by (heads, kv_heads, batch) and then tokens: of the prompt, or in the cache when decoding."""

    card: str
    phase: str
    seconds: dict[tuple[int, int, int], dict[int, float]] = field(default_factory=dict)


@cache
def gemm_tables() -> dict[tuple[str, str], GemmTable]:
    """Every table, by card and type."""
    tables: dict[tuple[str, str], GemmTable] = {}
    for card, kind, m, n, k, microseconds in _rows("gemm.csv.xz"):
        table = tables.setdefault((card, kind), GemmTable(card, TYPES[kind]))
        table.seconds.setdefault(int(m), {})[int(n), int(k)] = float(microseconds) * 1e-6
    return tables


@cache
def attention_tables() -> dict[tuple[str, str], AttentionTable]:
    """Every table, by card and phase (prefill, decode)."""
    tables: dict[tuple[str, str], AttentionTable] = {}
    for card, phase, heads, kv_heads, batch, tokens, microseconds in _rows("attention.csv.xz"):
        table = tables.setdefault((card, phase), AttentionTable(card, phase))
        series = table.seconds.setdefault((int(heads), int(kv_heads), int(batch)), {})
        series[int(tokens)] = float(microseconds) * 1e-6
    return tables


def types_of(card: str) -> list[str]:
    """The types that were measured on a card."""
    return [kind for kind in TYPES if (card, kind) in gemm_tables()]


def _rows(name: str) -> Iterator[list[str]]:
    with lzma.open(FOLDER / name, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows
