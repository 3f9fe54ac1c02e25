"""Work as a GPU sees it: places in the model, in the order of the result's layers.

GeMMs that read the same activations (q, k and v; gate and up) are one place, since a GPU may do them in one product.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gemms:
    """Products of activations [m, k] with weights [k, n] for every n of `columns`; `count` times in all.

    Attributes
    ----------
    weight_bits
        Of one weight in the model: 16 where it is not quantised.
    """

    phase: str
    module: str
    names: tuple[str, ...]
    m: int
    k: int
    columns: tuple[int, ...]
    weight_bits: int
    count: int

    @property
    def operations(self) -> int:
        return 2 * self.m * self.k * sum(self.columns) * self.count

    @property
    def text(self) -> str:
        return f"{self.m} x {self.k} x {'+'.join(map(str, self.columns))}"

    def fewest_bytes(self, weight_bits: float) -> float:
        """Weights at that many bits, 16-bit activations and outputs, each once."""
        outputs = sum(self.columns)
        return self.count * (outputs * self.k * weight_bits / 8 + 2 * self.m * (self.k + outputs))


@dataclass(frozen=True)
class AttentionWork:
    """Scores, softmax and context of a phase; `calls` are (tokens, how often), each of `batch` sequences.

    Attributes
    ----------
    obstacle
        Why no table can hold it; empty where one might.
    """

    phase: str
    heads: int
    kv_heads: int
    batch: int
    calls: tuple[tuple[int, int], ...]
    operations: int
    obstacle: str = ""
    module: str = "attention"

    @property
    def names(self) -> tuple[str, ...]:
        return ("attention",)

    @property
    def count(self) -> int:
        return sum(times for _, times in self.calls) or 1

    @property
    def text(self) -> str:
        return f"{self.heads}/{self.kv_heads} heads, batch {self.batch}"


@dataclass(frozen=True)
class Elementwise:
    """Norms, rotary embedding, activation functions: no product, in no table."""

    phase: str
    operations: int = 0
    count: int = 1
    module: str = "elementwise"

    @property
    def names(self) -> tuple[str, ...]:
        return ("elementwise",)

    @property
    def text(self) -> str:
        return ""


Place = Gemms | AttentionWork | Elementwise
