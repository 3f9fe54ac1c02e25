"""Timing on a card: ceilings, then rounds of kernels in turns, each verified before it is timed; always saved."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from gpu_ref import dispatch, record, sources
from gpu_ref.card import Device, Prepared, State
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.plan import Round, rounds
from gpu_ref.program import CopyBuffer, Filled, Program, Result, Shape
from gpu_ref.record import Ceilings, Check, Failure, Reading, Record, Row
from gpu_ref.roofline import Roofline, roofline
from gpu_ref.settings import Settings
from gpu_ref.verify import check, configuration
from sim.errors import InputError

_CHECKED = Shape(300, 1024, 2048)  # verification shrinks shapes to this: golden models run on the CPU
_T = TypeVar("_T")
_MOST_RUNS = 256  # in one captured graph
_GIVE_UP = 5  # failures in a row: the card no longer answers


class Bench:
    """One run of bench, or the rest of one that was cut short.

    Parameters
    ----------
    device, settings
        Where, and what.
    path
        The record, written after every round.
    begun
        A record of the same card and kernels whose rows need no second measurement.
    clock
        Seconds; time.monotonic outside the tests.
    """

    def __init__(
        self,
        device: Device,
        settings: Settings,
        path: Path,
        begun: Record | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device, self.settings, self.path = device, settings, path
        self._clock, self._start = clock, clock()
        self._rng = np.random.default_rng()
        self.record = begun or self._new_record()
        self._spent_before = self.record.spent_seconds
        self._checked: dict[tuple[Kernel, Shape], Check] = {}
        self._failures_in_a_row = 0

    def run(self, tell: Callable[[str], None] = lambda _: None, plan: Iterable[Round] | None = None) -> Record:
        """Measure until everything is done, the time is up, or the card no longer answers."""
        self.record.complete = False
        if self.record.ceilings is None:
            self.record.ceilings = self._ceilings()
        self._save()
        done = {(row.shape, row.kernel, row.configuration) for row in self.record.rows}
        for one in rounds(self.settings, self.device.card) if plan is None else plan:
            kernels = [k for k in one.kernels if (one.shape, k.label, configuration(k)) not in done or k == Fp16()]
            if kernels in ([], [Fp16()]) and one.kernels != (Fp16(),):
                continue
            if self._elapsed() > self.settings.timing.seconds:
                tell(f"the time of {self.settings.timing.seconds} s is up")
                break
            if self._failures_in_a_row >= _GIVE_UP:
                tell(f"{_GIVE_UP} failures in a row: the card no longer answers")
                break
            tell(f"{one.shape}: {', '.join(kernel.label for kernel in kernels)}")
            self._round(one, kernels)
            self._save()
        else:
            self.record.complete = True
        self._save()
        return self.record

    def _round(self, one: Round, kernels: list[Kernel]) -> None:
        prepared: dict[Kernel, Prepared] = {}
        copies: dict[Kernel, int] = {}
        try:
            for kernel in kernels:
                made = self._attempt(kernel, one.shape, partial(self._prepare, kernel, one.shape))
                if made is not None:
                    prepared[kernel], copies[kernel] = made
            samples: dict[Kernel, list[float]] = {kernel: [] for kernel in prepared}
            for _ in range(self.settings.timing.samples):
                for kernel in list(samples):
                    seconds = self._attempt(kernel, one.shape, prepared[kernel].sample)
                    if seconds is None:
                        del samples[kernel]
                    else:
                        samples[kernel].append(seconds)
            state = self.device.state() if samples else State()
            times = {kernel: _quartiles(values) for kernel, values in samples.items()}
            for kernel in times:
                energy = None
                if one.with_energy:
                    energy = self._attempt(
                        kernel, one.shape, partial(prepared[kernel].energy, self.settings.timing.energy_seconds)
                    )
                self._keep(self._row(one, kernel, times, copies[kernel], energy, state))
        finally:
            for item in prepared.values():
                item.release()

    def _attempt(self, kernel: Kernel, shape: Shape, work: Callable[[], _T]) -> _T | None:
        """The work's result; a failure is recorded and costs this kernel only."""
        try:
            result = work()
        except Exception as error:  # whatever the card or its compiler raises
            self._failures_in_a_row += 1
            message = f"{type(error).__name__}: {error}"
            self.record.failures.append(Failure(kernel=kernel.label, message=message, **asdict(shape)))
            return None
        self._failures_in_a_row = 0
        return result

    def _prepare(self, kernel: Kernel, shape: Shape) -> tuple[Prepared, int]:
        found = self._verified(kernel, shape)
        if not found.passed:
            raise InputError(f"differs from its golden model: error {found.error}, allowed {found.limit}")
        program = kernel.timed(shape)
        timing = self.settings.timing
        wanted = math.ceil(timing.l2_multiple * self.device.card.l2_bytes / program.streamed_bytes)
        room = (self.device.free_bytes() // 2 - program.memory_bytes) // program.streamed_bytes
        copies = max(1, min(wanted, 1 + room, _MOST_RUNS))
        batches = math.ceil(timing.batch_seconds / self._roofline(kernel, shape).seconds / copies)
        return self.device.prepare(program, copies, copies * max(1, min(batches, _MOST_RUNS // copies))), copies

    def _verified(self, kernel: Kernel, shape: Shape) -> Check:
        small = Shape(
            *(min(size, most) for size, most in zip(asdict(shape).values(), asdict(_CHECKED).values(), strict=True))
        )
        if not dispatch.takes(kernel, small):
            small = shape
        if (kernel, small) not in self._checked:
            checks = list(check(self.device, kernel, small, self._rng))
            self.record.checks.extend(checks)
            self._checked[kernel, small] = max(checks, key=lambda one: (not one.passed, one.error or 0.0))
        return self._checked[kernel, small]

    def _roofline(self, kernel: Kernel, shape: Shape) -> Roofline:
        assert self.record.ceilings is not None
        return roofline(kernel, shape, self.record.ceilings, self.settings.tensor_core_rates)

    def _row(
        self,
        one: Round,
        kernel: Kernel,
        times: dict[Kernel, tuple[float, float, float]],
        copies: int,
        energy: float | None,
        state: State,
    ) -> Row:
        lower, median, upper = times[kernel]
        bound, found = self._roofline(kernel, one.shape), self._verified(kernel, one.shape)
        native = "native" if kernel.is_native(self.device.card.architecture) else "emulated"
        return Row(
            kernel=kernel.label,
            source=kernel.source,
            configuration=configuration(kernel),
            operand=kernel.operand,
            instruction="library" if kernel.instruction == "cuBLAS" else native,
            is_choice=kernel in one.choices,
            mantissa_bits=getattr(kernel, "mantissa_bits", None),
            **asdict(one.shape),
            layers=list(one.layers),
            median_seconds=median,
            lower_quartile_seconds=lower,
            upper_quartile_seconds=upper,
            samples=self.settings.timing.samples,
            weight_copies=copies,
            bytes=kernel.bytes_moved(one.shape),
            operations=one.shape.operations,
            passes=kernel.passes,
            memory_seconds=bound.memory_seconds,
            compute_seconds=bound.compute_seconds,
            roofline_share=bound.seconds / median,
            limited_by=bound.limited_by,
            speedup_over_fp16=times[Fp16()][1] / median if Fp16() in times else None,
            energy_joules=energy,
            error=found.error or 0.0,
            error_limit=found.limit,
            state=reading(state),
        )

    def _keep(self, row: Row) -> None:
        """Add a row; FP16, which runs in every round on a shape, keeps its first."""
        known = {(other.shape, other.kernel, other.configuration) for other in self.record.rows}
        if (row.shape, row.kernel, row.configuration) not in known:
            self.record.rows.append(row)

    def _ceilings(self) -> Ceilings:
        """A copy within the card, read and written bytes counted, and a large FP16 product."""
        sizes, samples = self.settings.ceilings, self.settings.timing.samples
        shape = (min(sizes.copy_bytes, self.device.free_bytes() // 4),)
        copy = Program((CopyBuffer("a", "c"),), {"a": Filled(shape, "u1", "bytes")}, {"c": Result(shape, "u1")})
        square = Shape(*(sizes.product_size,) * 3)
        seconds = [self._median(copy, samples), self._median(Fp16().timed(square), samples)]
        return Ceilings(
            bytes_per_second=2 * shape[0] / seconds[0],
            fp16_operations_per_second=square.operations / seconds[1],
        )

    def _median(self, program: Program, samples: int) -> float:
        prepared = self.device.prepare(program)
        try:
            return _quartiles([prepared.sample() for _ in range(samples)])[1]
        finally:
            prepared.release()

    def _new_record(self) -> Record:
        rates = self.settings.tensor_core_rates.model_dump()
        return Record(
            device=record.Device(**self.device.card.as_dict()),
            versions=self.device.versions,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            spent_seconds=0.0,
            complete=False,
            sources={name: sources.fingerprint(name) for name in sources.names()},
            tensor_core_rates=rates,
            state_before=reading(self.device.state()),
            ceilings=None,
            checks=[],
            rows=[],
            failures=[],
        )

    def _elapsed(self) -> float:
        return self._clock() - self._start

    def _save(self) -> None:
        self.record.spent_seconds = self._spent_before + self._elapsed()
        record.save(self.record, self.path)


def reading(state: State) -> Reading:
    """A state as it is recorded."""
    values = asdict(state)
    reasons = values.pop("throttle_reasons")
    return Reading(throttle_reasons=None if reasons is None else list(reasons), **values)


def continued(begun: Record, device: Device, path: Path) -> Record:
    """A record that may be continued here.

    Raises
    ------
    InputError
        Where it is of another card, or the kernels have changed since.
    """
    if begun.device.model_dump() != device.card.as_dict():
        facts = {"found": begun.device.name, "needed": device.card.name}
        raise InputError("the record is of another card", place=None, field=str(path), facts=facts)
    changed = begun.changed_sources()
    if changed:
        raise InputError(f"kernels have changed since: {', '.join(changed)}", field=str(path))
    return begun


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return float(lower), float(median), float(upper)
