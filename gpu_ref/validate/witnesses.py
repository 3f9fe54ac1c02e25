"""Who computes a part, each with code of its own: the golden model, the simulator, the CUDA kernel.

golden      sim.formats.contract, group by group in NumPy
simulator   tile by tile of the machine's own plan, as its PEs round (sim.functional)
kernel      the CUDA source: on this machine's card through CuPy, else compiled by g++ and run thread by thread
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu_ref import dispatch
from gpu_ref.card import Card, Device
from gpu_ref.forecast.silicon import silicon
from gpu_ref.kernels.anda import Anda
from gpu_ref.program import GemmShape, Program
from gpu_ref.validate.parts import GemmPart
from sim.errors import InputError
from sim.formats import contract
from sim.formats.anda import AndaTensor
from sim.functional.execute import execute
from sim.machine.machine import Machine
from sim.runs.best_schedule import blocks_of

if TYPE_CHECKING:
    from gpu_ref.host.executor import HostExecutor

Half = NDArray[np.float16]
KERNEL_GROUP = 64
HOST_CARD = "A100"
"""The card for which kernels are tiled where none is there."""


@dataclass(frozen=True, eq=False)
class Witness:
    """What one side says of a part.

    Attributes
    ----------
    outputs : float16, (tokens, outputs)
        None where it could not be asked.
    about
        What ran, or why nothing did.
    differences
        What it found at odds beside the outputs, in words.
    """

    name: str
    about: str
    outputs: Half | None = None
    seconds: float = 0.0
    differences: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the outputs' bits."""
        if self.outputs is None:
            return ""
        return hashlib.sha256(np.ascontiguousarray(self.outputs).tobytes()).hexdigest()[:16]


def golden(part: GemmPart, group_size: int) -> Witness:
    """The numeric contract."""
    begun = time.perf_counter()
    encoded = AndaTensor.encode(part.activations, part.mantissa_bits, group_size)
    outputs = contract.gemm(encoded, part.weights).outputs
    return Witness("golden model", "numeric contract, NumPy", outputs, time.perf_counter() - begun)


def simulator(part: GemmPart, machine: Machine) -> Witness:
    """The machine's own tiles and rounding."""
    begun = time.perf_counter()
    plan = blocks_of(machine.piece(part.computed)).plan()
    done = execute(plan, machine.pe, part.activations, part.weights)
    about = f"{done.tiles} tiles of {machine.arch.name}"
    return Witness("simulator", about, done.outputs, time.perf_counter() - begun)


@dataclass
class KernelRunner:
    """Runs the kernel on a card, or on the host where there is none; says which."""

    device: Device | None = None
    why_not: str = ""
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    @classmethod
    def find(cls) -> KernelRunner:
        """On this machine's card if it has one and CuPy reaches it."""
        from gpu_ref.cupy_card import open_card

        try:
            return cls(open_card())
        except InputError as error:
            return cls(None, str(error).splitlines()[0])

    @property
    def where(self) -> str:
        if self.device is not None:
            return f"on {self.device.card.name}"
        return "on the host"

    @property
    def note(self) -> str:
        """Where the kernel ran, and why there."""
        if self.device is not None:
            return f"The CUDA kernel ran on {self.device.card.name}."
        how = "Its source was compiled by g++ and run thread by thread on the host."
        return f"No card ran the CUDA kernel ({self.why_not}). {how}"

    @property
    def card(self) -> Card:
        """The card that kernels are tiled for."""
        return self.device.card if self.device else silicon().cards[HOST_CARD].card(HOST_CARD)

    def run(self, program: Program) -> Half:
        if self.device is None:
            return np.asarray(self._host.run(program)["c"], np.float16)
        prepared = self.device.prepare(program)
        try:
            return np.asarray(prepared.run()["c"], np.float16)
        finally:
            prepared.release()

    @cached_property
    def _host(self) -> HostExecutor:
        from gpu_ref.host.executor import HostExecutor

        self._folder = tempfile.TemporaryDirectory(prefix="anda-sim-validate-")
        return HostExecutor(Path(self._folder.name))


def kernel(part: GemmPart, runner: KernelRunner, group_size: int) -> Witness:
    """The CUDA kernel that the dispatcher picks for the part."""
    begun = time.perf_counter()
    if group_size != KERNEL_GROUP:
        return Witness("CUDA kernel", f"not run: it takes groups of {KERNEL_GROUP} values, not of {group_size}")
    try:
        chosen = kernel_of(part, runner.card)
        chosen.refuse(_shape(part))
        program = chosen.program(_shape(part), chosen.case(part.activations, part.weights).buffers)
    except InputError as error:
        return Witness("CUDA kernel", f"not run: {error.problem}")
    outputs = runner.run(program)
    return Witness("CUDA kernel", f"{chosen.label} {runner.where}", outputs, time.perf_counter() - begun)


def kernel_of(part: GemmPart, card: Card) -> Anda:
    """What the dispatcher picks; InputError where no kernel takes the shape or the length."""
    return dispatch.anda(_shape(part), card, part.mantissa_bits, zero_points=part.has_zero_points)


def _shape(part: GemmPart) -> GemmShape:
    tokens, k, outputs = part.shape
    return GemmShape(tokens, outputs, k)
