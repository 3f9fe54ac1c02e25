"""Hooks on the linear layers of a model: every GeMM that runs becomes a record, its operands perhaps tensors.

Rows of padding are left out: a layer that sees all positions of a batch keeps those of real tokens; experts are sent
no padding in the first place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import torch
from torch import nn

from sim.formats import fp16
from sim.formats.int4 import Int4Tensor
from sim.trace.linears import Site, SplitExperts
from sim.trace.writer import TraceWriter
from sim.workload.trace_file import Record


@dataclass
class Recorder:
    """Records the GeMMs of `sites` while entered.

    Attributes
    ----------
    weights
        INT4 weights by the name of their layer, to be kept; None: shapes alone.
    fp16
        Names of the layers whose weights stay FP16.
    orders
        By layer, the order in which its weights want their inputs, where it is another than that of the model.
    phase, step
        Of the pass that runs, for its records.
    real
        Which positions are not padding, bool [batch, positions]; None: all.
    on_record
        Called after each record.
    """

    model: nn.Module
    sites: list[Site]
    writer: TraceWriter
    weights: dict[str, Int4Tensor] | None = None
    fp16: frozenset[str] = frozenset()
    orders: dict[str, torch.Tensor] = field(default_factory=dict)
    on_record: Callable[[], None] = lambda: None
    phase: Literal["prefill", "decode"] = "prefill"
    step: int = 0
    real: torch.Tensor | None = None
    _count: int = 0
    _kept: set[str] = field(default_factory=set)
    _handles: list[Any] = field(default_factory=list)

    def __enter__(self) -> Self:
        for site in self.sites:
            self._handles.append(site.layer.register_forward_pre_hook(self._hook(site), with_kwargs=True))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

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

    def _record(self, site: Site, rows: torch.Tensor) -> None:
        activations = weights = None
        if self.weights is not None and site.name in self.weights:
            activations, weights = f"activations.{self._count}", site.name
            ordered = rows[:, self.orders[site.name]] if site.name in self.orders else rows
            values = ordered.to(torch.float16).cpu().numpy()
            fp16.refuse_nonfinite(values, f"activations of {site.name}")
            self.writer.add_tensor(activations, values)
            if weights not in self._kept:
                self.writer.add_weights(weights, self.weights[weights])
                self._kept.add(weights)
        self.writer.add_record(
            Record(
                phase=self.phase,
                step=self.step,
                name=site.name,
                module=site.kind,
                m=len(rows),
                k=site.k,
                n=site.n,
                weight_bits=16 if site.name in self.fp16 else 4,
                expert=site.expert,
                activations=activations,
                weights=weights,
            )
        )
        self._count += 1
        self.on_record()
