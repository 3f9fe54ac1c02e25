"""The time that no kernel can beat.

memory     bytes, each once, over the bandwidth
compute    products over the Tensor Cores' rate
contract   what the numeric contract asks of each output and group beside its products, over the rate of instructions
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpu_ref.kernel import Kernel
from gpu_ref.program import GemmShape
from gpu_ref.record import Ceilings
from gpu_ref.settings import Settings

RooflineLimit = Literal["memory", "compute", "contract"]


@dataclass(frozen=True)
class Roofline:
    """Seconds of each, the largest being the bound."""

    memory_seconds: float
    compute_seconds: float
    contract_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        return max(self.memory_seconds, self.compute_seconds, self.contract_seconds)

    @property
    def limited_by(self) -> RooflineLimit:
        parts: dict[RooflineLimit, float] = {
            "memory": self.memory_seconds,
            "compute": self.compute_seconds,
            "contract": self.contract_seconds,
        }
        return max(parts, key=lambda name: parts[name])

    def at(self, slower_memory: float, slower_compute: float) -> Roofline:
        """On a card with so many times the seconds a byte, and an operation or instruction."""
        return Roofline(
            self.memory_seconds * slower_memory,
            self.compute_seconds * slower_compute,
            self.contract_seconds * slower_compute,
        )


def roofline(kernel: Kernel, shape: GemmShape, architecture: str, ceilings: Ceilings, settings: Settings) -> Roofline:
    """At measured ceilings; other operands and warp instructions at their nominal multiple of FP16's measured rate.

    Without the contract on architectures whose rate of instructions the settings do not give.
    """
    fp16, rates = ceilings.fp16_operations_per_second, settings.tensor_core_rates
    worth = settings.operations_an_instruction.of(architecture)
    return Roofline(
        kernel.bytes_moved(shape) / ceilings.bytes_per_second,
        shape.operations * kernel.passes / (fp16 * rates.of(kernel.operand)),
        0.0 if worth is None else kernel.contract_instructions(shape) * worth / fp16,
    )
