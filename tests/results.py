"""Results of small work, simulated as a user does it: what tests of reports, tables and comparisons are given.

Tests vary them through the inputs of a simulation; what no simulation gives (a name in markup, a huge number) they put
in by `dataclasses.replace`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from sim.arch.load import load_arch
from sim.result import Result
from sim.simulation import simulate
from sim.workload.gemm import Item, Phase, VectorWork, Workload
from sim.workload.load import load_workload

PAPER = ("fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8", "anda-hpca25")
"""The machines that the paper compares, its baseline first, its own last."""
COMMAND = "sim.py run anda-hpca25 llama-13b --tokens 64"
SMALL = (
    "layers=2", "hidden_size=256", "intermediate_size=704", "attention.heads=4", "attention.key_value_heads=4",
    "attention.head_size=64",
)  # fmt: skip


@cache
def small_llama(tokens: int = 64, **options: Any) -> Workload:
    """LLaMA-13B's kind of layer with its mantissa lengths, a twentieth as wide."""
    return load_workload("llama-13b", overrides=SMALL, tokens=tokens, **options)


NORM = VectorWork("norm", "norm", operations=999, read_bytes=640, write_bytes=64, count=3)
"""A little work of the vector unit."""


def work_of(*items: Item) -> Workload:
    """Work spelled out, as a reader of a CSV makes a workload of it."""
    return Workload("spelled out", (Phase("prefill", items),), resolved={"run": {"precision": "wikitext2-1%"}})


@cache
def simulated(arch: str = "anda-hpca25", *overrides: str, work: Workload | None = None) -> Result:
    """The result of a shipped machine, with overrides, on the small LLaMA layers or on other work."""
    return simulate(load_arch(arch, overrides), work or small_llama())


@cache
def anda() -> Result:
    """Anda on the small LLaMA layers, as run from the command line."""
    found = simulated("anda-hpca25")
    return replace(found, provenance=replace(found.provenance, command=COMMAND))


def named(found: Result, name: str) -> Result:
    """The same figures of a machine of another name."""
    return replace(found, arch={**found.arch, "name": name})


def with_layer(found: Result, index: int, **changes: Any) -> Result:
    """The result with one layer changed."""
    layers = list(found.layers)
    layers[index] = replace(layers[index], **changes)
    return replace(found, layers=tuple(layers))
