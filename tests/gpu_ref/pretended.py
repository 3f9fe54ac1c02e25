"""A card that runs kernels on the CPU and tells times by a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gpu_ref.card import Card, CardState
from gpu_ref.host.executor import HostExecutor
from gpu_ref.program import Array, CopyBuffer, Matmul, Program

# Public figures of the cards; nothing is measured with them.
CARDS = {
    "A100": Card("NVIDIA A100-SXM4-80GB", "sm_80", 108, 40 * 2**20, 80 * 2**30, 166912),
    "RTX 3090": Card("NVIDIA GeForce RTX 3090", "sm_86", 82, 6 * 2**20, 24 * 2**30, 101376),
    "RTX 4090": Card("NVIDIA GeForce RTX 4090", "sm_89", 128, 72 * 2**20, 24 * 2**30, 101376),
    "H200": Card("NVIDIA H200", "sm_90a", 132, 60 * 2**20, 141 * 2**30, 232448),
}


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class PretendedPrepared:
    device: PretendedDevice
    program: Program
    name: str
    copies: int
    runs: int
    samples: int = 0
    released: bool = False

    def run(self) -> dict[str, Array]:
        return self.device.host.run(self.program)

    def sample(self) -> float:
        self.device.log.append(self.name)
        self.device.clock.now += self.device.sample_seconds
        self.samples += 1
        self.device.fail(self.name, "sample")
        # 1, 2, 3, ... microseconds: median and quartiles can be told from outside.
        return self.samples * 1e-6 * (4 if self.name == "fp16" else 1)

    def energy(self, seconds: float) -> float | None:
        return 2e-3

    def release(self) -> None:
        self.released = True


@dataclass
class PretendedDevice:
    card: Card
    host: HostExecutor
    clock: Clock
    sample_seconds: float = 0.001
    free: int = 2**34
    fail: Callable[[str, str], None] = lambda name, step: None
    log: list[str] = field(default_factory=list)
    prepared: list[PretendedPrepared] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=lambda: {"driver": "0"})

    def prepare(self, program: Program, copies: int = 1, runs: int = 1) -> PretendedPrepared:
        step = program.launches[0]
        name = {Matmul: "fp16", CopyBuffer: "copy"}.get(type(step)) or getattr(step, "function", "")
        self.fail(name, "prepare")
        made = PretendedPrepared(self, program, name, copies, runs)
        self.prepared.append(made)
        return made

    def state(self) -> CardState:
        return CardState(sm_megahertz=1980, throttle_reasons=("power cap",))

    def free_bytes(self) -> int:
        return self.free
