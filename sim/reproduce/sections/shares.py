"""Share of the weight GeMMs in all operations, by context length."""

from __future__ import annotations

from sim.reproduce.bench import CaseResults, PaperCase, workload_of
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table
from sim.reproduce.published import Published
from sim.workload.gemm import Gemm, Item, VectorWork
from sim.workload.precision import MODULES

CONTEXTS = (1024, 2048, 4096, 8192, 16384)


def section(paper: Published, bench: CaseResults) -> PaperSection:
    """Counted from the workloads that the simulator runs; no timing is needed."""
    claim = paper.weight_share
    cells = (
        PaperCell(
            model,
            str(tokens),
            100 * _share(model, tokens),
            100 * claim.above if tokens < claim.below_tokens else None,
            Role.INPUT,
        )
        for model in paper.systems.models
        for tokens in CONTEXTS
    )
    table = Table(
        "shares", "% of operations in weight GeMMs", tuple(cells), unit="%", digits=1, picture="lines",
        corner="model", x_title="prompt, tokens", log_x=True,
    )  # fmt: skip
    return PaperSection(
        "shares",
        "Share of the weight GeMMs",
        (table,),
        place=claim.place,
        note="Operations of a causal prefill: a multiply-accumulate is one, a vector operation is one. Arithmetic on "
        "the models' shapes; the paper says that more than its number are in weight GeMMs.",
    )


def _operations(item: Item) -> int:
    if isinstance(item, VectorWork):
        return item.operations * item.count
    return item.macs if isinstance(item, Gemm) else item.operations


def _share(model: str, tokens: int) -> float:
    workload = workload_of(PaperCase("", model, options=(("tokens", tokens), ("scope", "all"))))
    items = [item for phase in workload.phases for item in phase.items]
    operations = [_operations(item) for item in items]
    weights = (item.macs for item in items if isinstance(item, Gemm) and item.module in MODULES)
    return sum(weights) / sum(operations)
