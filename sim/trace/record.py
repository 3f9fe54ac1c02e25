"""Records a model as it runs: its GeMMs, their operands perhaps as tensors, and the work between them.

Rows of padding are left out: a layer that sees all positions of a batch keeps those of real tokens; experts are sent
no padding in the first place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import torch
from torch import nn

from sim.formats import fp16
from sim.formats.weight import WeightFormat, WeightTensor
from sim.trace.linears import Site, SplitExperts
from sim.trace.vectors import attention_told, hook_vectors
from sim.trace.writer import Recording
from sim.workload.gemm import VectorWork
from sim.workload.manifest import GemmRecord, TracedAttention, TracedVector


@dataclass
class GemmRecorder:
    """Records the GeMMs of `sites`, and the rest of the layers that `keeps` lets through, while entered.

    Attributes
    ----------
    formats
        Of the weights of each site, by its name.
    weights
        Integer weights by the name of their layer, to be kept; None: shapes alone.
    orders
        By layer, the order in which its weights want their inputs, where it is another than that of the model.
    keeps
        Whether vector work or attention of a module of that name is kept.
    doubts
        What was seen and is not modelled.
    attended, activated, downs
        Modules whose attention was seen; values that activation functions and down projections took.
    phase, step
        Of the pass that runs, for its records.
    real
        Which positions are not padding, bool [batch, positions]; None: all.
    on_record
        Called after each record.
    """

    model: nn.Module
    sites: list[Site]
    writer: Recording
    formats: Mapping[str, WeightFormat]
    weights: Mapping[str, WeightTensor] | None = None
    orders: dict[str, torch.Tensor] = field(default_factory=dict)
    on_record: Callable[[], None] = lambda: None
    keeps: Callable[[str], bool] = lambda name: True
    doubts: set[str] = field(default_factory=set)
    attended: set[str] = field(default_factory=set)
    activated: int = 0
    downs: int = 0
    phase: Literal["prefill", "decode"] = "prefill"
    step: int = 0
    real: torch.Tensor | None = None
    _count: int = 0
    _kept: set[str] = field(default_factory=set)
    _entered: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        handles = [site.layer.register_forward_pre_hook(self._hook(site), with_kwargs=True) for site in self.sites]
        for handle in [*handles, *hook_vectors(self.model, self._rows, self._vector)]:
            self._entered.callback(handle.remove)
        self._entered.enter_context(attention_told(self.model, self._attention, self.doubts.add))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._entered.close()

    def unseen(self) -> str:
        """What of the model's attention and vector work was not seen, or is not modelled; empty: nothing."""
        config = getattr(self.model, "config", None)
        layers = config.get_text_config().num_hidden_layers if config else 0
        said = sorted(self.doubts)
        if not layers or len(self.attended) != layers:
            said.append(f"the attention of {layers - len(self.attended)} of {layers} layers")
        if self.activated < self.downs:
            said.append("activation functions that are no module")
        return ", ".join(said)

    def begin(self, phase: Literal["prefill", "decode"], step: int, real: torch.Tensor | None = None) -> None:
        """Say which pass comes next, and where its padding is."""
        self.phase, self.step, self.real = phase, step, real
        for module in self.model.modules():
            if isinstance(module, SplitExperts):
                module.real = None if real is None else real.flatten()

    def _hook(self, site: Site) -> Callable[[nn.Module, tuple[torch.Tensor, ...], dict[str, torch.Tensor]], None]:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
            rows = (inputs[0] if inputs else named["input"]).detach().reshape(-1, site.k)
            if self.real is not None and not site.expert and len(rows) == self.real.numel():
                rows = rows[self.real.flatten()]
            self._record(site, rows)

        return hook

    def _rows(self, name: str, rows: int) -> int:
        """How many of the rows of a module's input are real: experts see no padding, others that of every position."""
        if self.real is None or "experts." in name or rows % self.real.numel():
            return rows
        return rows // self.real.numel() * int(self.real.sum())

    def _vector(self, name: str, work: VectorWork, values: int) -> None:
        if self.keeps(name):
            self.activated += values if work.module == "activation" else 0
            sizes = {"operations": work.operations, "read_bytes": work.read_bytes, "write_bytes": work.write_bytes}
            vector = TracedVector(phase=self.phase, step=self.step, name=name, module=work.module, **sizes)
            self.writer.add_vector(vector)

    def _attention(self, attention: TracedAttention) -> None:
        self.attended.add(attention.name)
        if self.keeps(attention.name):
            self.writer.add_attention(attention)

    def _record(self, site: Site, rows: torch.Tensor) -> None:
        activations = weights = None
        stored = self.formats[site.name]
        if self.weights is not None and site.name in self.weights:
            activations, weights = f"activations.{self._count}", site.name
            ordered = rows[:, self.orders[site.name]] if site.name in self.orders else rows
            values = ordered.to(torch.float16).cpu().numpy()
            fp16.refuse_nonfinite(values, f"activations of {site.name}")
            self.writer.add_tensor(activations, values)
            if weights not in self._kept:
                self.writer.add_weights(weights, stored, self.weights[weights])
                self._kept.add(weights)
        self.writer.add_record(
            GemmRecord(
                phase=self.phase,
                step=self.step,
                name=site.name,
                module=site.kind,
                m=len(rows),
                k=site.k,
                n=site.n,
                stored=self.writer.add_format(stored),
                expert=site.expert,
                activations=activations,
                weights=weights,
            )
        )
        self.downs += len(rows) * site.k if site.kind == "down" else 0
        self._count += 1
        self.on_record()
