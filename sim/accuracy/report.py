"""Perplexities of several formats beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.accuracy.loss import FormatLoss
from sim.accuracy.perplexity import Evaluator, Format, perplexity


@dataclass(frozen=True)
class MeasuredPerplexity:
    """The perplexity of a format, and of FP16 activations with the same weights."""

    name: str
    format: Format
    perplexity: float
    loss: FormatLoss

    def row(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "format": self.name,
            "precision": self.format.lengths and list(self.format.lengths),
            "weight_bits": self.format.weight_bits and list(self.format.weight_bits),
            "kv": self.format.attention and self.format.attention.cache,
            "attention_precision": self.format.attention and list(self.format.attention.lengths),
            "rules": self.format.plan.written().get("rules", []),
            "perplexity": self.perplexity,
            "bits_per_token": math.log2(self.perplexity),
            "relative_loss": self.loss.relative(),
            "loss_nats": self.loss.nats,
            "standard_error_nats": self.loss.standard_error if math.isfinite(self.loss.standard_error) else None,
            "tokens": self.loss.tokens,
        }


def measure(evaluator: Evaluator, formats: Mapping[str, Format]) -> list[MeasuredPerplexity]:
    """Measure every format; the first is the reference."""
    scores = {name: evaluator.scores(format) for name, format in formats.items()}
    reference = next(iter(scores.values()))
    return [
        MeasuredPerplexity(name, format, perplexity(scores[name]), FormatLoss.of(scores[name], reference))
        for name, format in formats.items()
    ]


def print_measured(measured: list[MeasuredPerplexity]) -> None:
    """A line a format."""
    from rich.console import Console
    from rich.table import Table

    table = Table("format", box=None)
    for heading in ("perplexity", "bits a token", "loss", "± error"):
        table.add_column(heading, justify="right")
    for one in measured:
        bits = math.log2(one.perplexity)
        table.add_row(one.name, f"{one.perplexity:.4f}", f"{bits:.4f}", *shown(one.loss))
    Console().print(table)


def shown(loss: FormatLoss) -> tuple[str, str]:
    """A relative loss of perplexity and its standard error, as tables show them."""
    error = loss.relative(1) - loss.relative()
    return f"{loss.relative():+.2%}", f"{error:.2%}" if math.isfinite(error) else "unknown"
