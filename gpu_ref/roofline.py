"""The time that no kernel can beat: bytes over bandwidth, products over the Tensor Cores' rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpu_ref.kernel import Kernel
from gpu_ref.program import GemmShape
from gpu_ref.record import Ceilings
from gpu_ref.settings import Rates


@dataclass(frozen=True)
class Roofline:
    memory_seconds: float
    compute_seconds: float

    @property
    def seconds(self) -> float:
        return max(self.memory_seconds, self.compute_seconds)

    @property
    def limited_by(self) -> Literal["memory", "compute"]:
        return "memory" if self.memory_seconds >= self.compute_seconds else "compute"


def roofline(kernel: Kernel, shape: GemmShape, ceilings: Ceilings, rates: Rates) -> Roofline:
    """At measured ceilings; other operands than FP16 at their nominal multiple of FP16's measured rate."""
    rate = ceilings.fp16_operations_per_second * rates.of(kernel.operand)
    return Roofline(
        kernel.bytes_moved(shape) / ceilings.bytes_per_second,
        shape.operations * kernel.passes / rate,
    )
