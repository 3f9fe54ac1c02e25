"""Timing on a card: ceilings, and one kernel on one shape beside FP16, verified before it is timed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import numpy as np

from gpu_ref.card import CardState, Device, Prepared
from gpu_ref.goldens import Goldens
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.program import CopyBuffer, Filled, GemmShape, OutputArray, Program
from gpu_ref.record import Ceilings, GoldenCheck, Reading, Row
from gpu_ref.roofline import roofline
from gpu_ref.settings import Settings
from gpu_ref.verify import check, checked_shape
from sim.errors import InputError

_MOST_RUNS = 256  # in one captured graph
NOMINAL = Ceilings(bytes_per_second=1e12, fp16_operations_per_second=1e14)
"""Sizes batches where no ceilings could be measured; nothing is reported at it."""


def measure_ceilings(device: Device, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Ceilings:
    """A copy within the card, read and written bytes counted, and a large FP16 product, both at working clocks."""
    sizes, samples = settings.ceilings, settings.timing.samples
    shape = (min(sizes.copy_bytes, device.free_bytes() // 4),)
    copy = Program((CopyBuffer("a", "c"),), {"a": Filled(shape, "u1", "bytes")}, {"c": OutputArray(shape, "u1")})
    square = GemmShape(*(sizes.product_size,) * 3)
    seconds: list[float] = []
    for program in (copy, Fp16().timed(square)):
        prepared = device.prepare(program)
        try:
            until = clock() + sizes.warm_up_seconds
            while clock() < until:
                prepared.sample()
            seconds.append(quartiles([prepared.sample() for _ in range(samples)])[1])
        finally:
            prepared.release()
    return Ceilings(
        bytes_per_second=2 * shape[0] / seconds[0], fp16_operations_per_second=square.operations / seconds[1]
    )


class KernelTimer:
    """Kernels on a device, one after the other; FP16 stays prepared while the shape stays.

    Parameters
    ----------
    ceilings
        What the roofline is taken at.
    seed, goldens
        Of the inputs of verifications, and results that were made for them beforehand.
    tell
        Receives every verification.
    """

    def __init__(
        self,
        device: Device,
        settings: Settings,
        ceilings: Ceilings,
        seed: int,
        goldens: Goldens,
        tell: Callable[[GoldenCheck], None] = lambda _: None,
    ) -> None:
        self.device, self.settings, self.ceilings = device, settings, ceilings
        self._seed, self._goldens, self._tell = seed, goldens, tell
        self._checked: dict[tuple[Kernel, GemmShape], GoldenCheck] = {}
        self._baseline: tuple[GemmShape, Prepared, int] | None = None

    def row(self, kernel: Kernel, shape: GemmShape, layers: tuple[str, ...], is_choice: bool) -> Row:
        """Median and quartiles of one GeMM, sampled in turns with FP16's.

        Raises
        ------
        InputError
            Where the kernel differs from its golden model: nothing is timed then.
        """
        verified = self._verified(kernel, shape)
        baseline = self._fp16(shape)
        if isinstance(kernel, Fp16):
            assert baseline is not None
            _, prepared, copies = baseline
            samples = [prepared.sample() for _ in range(self.settings.timing.samples)]
            return self._made(kernel, shape, layers, is_choice, verified, prepared, copies, samples, samples)
        prepared, copies = self._prepare(kernel, shape)
        try:
            samples, beside = [], []
            for _ in range(self.settings.timing.samples):
                samples.append(prepared.sample())
                if baseline is not None:
                    beside.append(baseline[1].sample())
            return self._made(kernel, shape, layers, is_choice, verified, prepared, copies, samples, beside)
        finally:
            prepared.release()

    def energy(self, kernel: Kernel, shape: GemmShape) -> float | None:
        """Joules of one GeMM; None where the card does not count them."""
        self._forget()
        prepared, _ = self._prepare(kernel, shape)
        try:
            return prepared.energy(self.settings.energy.seconds)
        finally:
            prepared.release()

    def once(self, kernel: Kernel, shape: GemmShape) -> None:
        """A few launches, for a tool that counts beside them."""
        self.device.prepare(kernel.timed(shape)).release()

    def _made(
        self,
        kernel: Kernel,
        shape: GemmShape,
        layers: tuple[str, ...],
        is_choice: bool,
        verified: GoldenCheck,
        prepared: Prepared,
        copies: int,
        samples: list[float],
        beside: list[float],
    ) -> Row:
        lower, median, upper = quartiles(samples)
        bound = roofline(kernel, shape, self.device.card.architecture, self.ceilings, self.settings)
        return Row(
            kernel=kernel.label,
            source=kernel.source,
            configuration=kernel.configuration,
            operand=kernel.operand,
            instruction=self._instruction(kernel),
            is_choice=is_choice,
            mantissa_bits=getattr(kernel, "mantissa_bits", None),
            **asdict(shape),
            layers=list(layers),
            median_seconds=median,
            lower_quartile_seconds=lower,
            upper_quartile_seconds=upper,
            samples=len(samples),
            weight_copies=copies,
            bytes=kernel.bytes_moved(shape),
            operations=shape.operations,
            passes=kernel.passes,
            memory_seconds=bound.memory_seconds,
            compute_seconds=bound.compute_seconds,
            contract_seconds=bound.contract_seconds,
            roofline_share=bound.seconds / median,
            limited_by=bound.limited_by,
            speedup_over_fp16=quartiles(beside)[1] / median if beside else None,
            energy_joules=None,
            error=verified.error or 0.0,
            error_limit=verified.limit,
            state=reading(self.device.state()),
            launches="graph" if prepared.is_graph else "single",
        )

    def _instruction(self, kernel: Kernel) -> Literal["native", "emulated", "library"]:
        if kernel.instruction == "cuBLAS":
            return "library"
        return "native" if kernel.is_native(self.device.card.architecture) else "emulated"

    def _fp16(self, shape: GemmShape) -> tuple[GemmShape, Prepared, int] | None:
        """FP16 on a shape; None where it cannot run: its own row says why."""
        if self._baseline is None or self._baseline[0] != shape:
            self._forget()
            try:
                self._baseline = (shape, *self._prepare(Fp16(), shape))
            except (InputError, RuntimeError):
                if not self.device.answers():
                    raise
        return self._baseline

    def _forget(self) -> None:
        if self._baseline is not None:
            self._baseline[1].release()
        self._baseline = None

    def _prepare(self, kernel: Kernel, shape: GemmShape) -> tuple[Prepared, int]:
        program = kernel.timed(shape)
        timing = self.settings.timing
        wanted = math.ceil(timing.l2_multiple * self.device.card.l2_bytes / program.streamed_bytes)
        room = (self.device.free_bytes() // 2 - program.memory_bytes) // program.streamed_bytes
        copies = max(1, min(wanted, 1 + room, _MOST_RUNS))
        bound = roofline(kernel, shape, self.device.card.architecture, self.ceilings, self.settings)
        batches = math.ceil(timing.batch_seconds / bound.seconds / copies)
        runs = copies * max(1, min(batches, _MOST_RUNS // copies))
        return self.device.prepare(program, copies, max(2, runs)), copies

    def _verified(self, kernel: Kernel, shape: GemmShape) -> GoldenCheck:
        small = checked_shape(kernel, shape)
        if (kernel, small) not in self._checked:
            checks = list(check(self.device, kernel, small, self._seed, self._goldens))
            for one in checks:
                self._tell(one)
            self._checked[kernel, small] = max(checks, key=lambda one: (not one.passed, one.error or 0.0))
        found = self._checked[kernel, small]
        if not found.passed:
            raise InputError(f"differs from its golden model: error {found.error}, allowed {found.limit}")
        return found


def reading(state: CardState) -> Reading:
    """A state as it is recorded."""
    values = asdict(state)
    reasons = values.pop("throttle_reasons")
    return Reading(throttle_reasons=None if reasons is None else list(reasons), **values)


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return float(lower), float(median), float(upper)
