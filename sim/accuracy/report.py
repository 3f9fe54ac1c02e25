"""Perplexities of several formats beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.accuracy.perplexity import Evaluator, Format


@dataclass(frozen=True)
class Measured:
    """The perplexity of a format, and of FP16 activations with the same weights."""

    name: str
    format: Format
    perplexity: float
    reference: float

    @property
    def loss(self) -> float:
        """Relative to FP16 activations."""
        return self.perplexity / self.reference - 1

    def row(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "format": self.name,
            "precision": self.format.lengths and list(self.format.lengths),
            "perplexity": self.perplexity,
            "bits_per_token": math.log2(self.perplexity),
            "relative_loss": self.loss,
        }


def measure(evaluator: Evaluator, formats: Mapping[str, Format]) -> list[Measured]:
    """Measure every format; the first is the reference."""
    perplexities = {name: evaluator.perplexity(format) for name, format in formats.items()}
    reference = next(iter(perplexities.values()))
    return [Measured(name, format, perplexities[name], reference) for name, format in formats.items()]


def print_measured(measured: list[Measured]) -> None:
    """A line a format."""
    from rich.console import Console
    from rich.table import Table

    table = Table("format", box=None)
    for heading in ("perplexity", "bits a token", "loss"):
        table.add_column(heading, justify="right")
    for one in measured:
        bits = math.log2(one.perplexity)
        table.add_row(one.name, f"{one.perplexity:.4f}", f"{bits:.4f}", f"{one.loss:+.2%}")
    Console().print(table)
