"""What a peer is: operands made on the card, a call, and what the weights stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpu_ref.kernel import Operand
from gpu_ref.program import GemmShape

Tensor = Any
Torch = Any


@dataclass(frozen=True)
class Made:
    """Operands of one GeMM.

    Attributes
    ----------
    left
        Activations as the kernel takes them.
    weights
        One copy in the kernel's format; what is rotated are clones of its tensors.
    call
        (left, weights) -> C.
    left_values, weight_values
        What they stand for, in float64 on the CPU: all of A, and the first columns of W as (columns, depth).
    """

    left: Tensor
    weights: tuple[Tensor, ...]
    call: Callable[[Tensor, tuple[Tensor, ...]], Tensor]
    left_values: Tensor
    weight_values: Tensor


@dataclass(frozen=True)
class Peer:
    """One kernel of somebody else's.

    Attributes
    ----------
    multiples
        Columns and depth must be multiples of these.
    limit
        Of |difference| / |A| |W|: half a place of the output's format, and as much for the order of the sums.
    """

    name: str
    source: str
    operand: Operand
    limit: float
    multiples: tuple[int, int]
    make: Callable[[Torch, GemmShape, str], Made]

    def takes(self, shape: GemmShape) -> bool:
        """Whether it exists for a shape."""
        return shape.columns % self.multiples[0] == 0 and shape.depth % self.multiples[1] == 0
