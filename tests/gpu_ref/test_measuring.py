"""How ceilings and energy are measured: at working clocks, and for long enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from pretended import CARDS, Clock, PretendedDevice
from rehearsal import compiled_for_nothing

from gpu_ref import fills
from gpu_ref.cupy_card import open_card
from gpu_ref.host.executor import HostExecutor
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.program import GemmShape
from gpu_ref.settings import load_settings
from gpu_ref.timing import measure_ceilings


def test_ceilings_are_taken_after_half_a_second_at_work(host: HostExecutor) -> None:
    device, settings = PretendedDevice(CARDS["H200"], host, Clock(), sample_seconds=0.02), load_settings()
    found = measure_ceilings(device, settings, device.clock)
    assert settings.ceilings.warm_up_seconds == 0.5
    # Sample i takes i microseconds, four times that in FP16: the median counts from the end of the warming up.
    copy, product = (one.samples for one in device.prepared)
    assert copy == product == 25 + settings.timing.samples
    median = (25 + (settings.timing.samples + 1) / 2) * 1e-6
    assert found.bytes_per_second == pytest.approx(2 * settings.ceilings.copy_bytes / median)
    assert found.fp16_operations_per_second == pytest.approx(2 * settings.ceilings.product_size**3 / (4 * median))


def counted(seconds: float, phase: float) -> float:
    """Joules of a GEMM on the strict card by a counter that moves every 0.1 s, in those that it takes at 100 W."""
    import cupy

    compiled_for_nothing(fills.modules())
    device = open_card()
    prepared = device.prepare(Fp16().timed(GemmShape(3, 64, 256)), runs=256)
    cupy._context.clock = phase
    device.energy_joules = lambda: 100 * 0.1 * math.floor(cupy._context.clock / 0.1)  # type: ignore[method-assign]
    joules = prepared.energy(seconds)
    assert joules is not None
    return joules / (100 * prepared.sample())


def test_a_window_of_energy_is_long_beside_the_steps_of_its_counter(strict: Callable[..., Any]) -> None:
    strict()
    shipped, short = load_settings().energy.seconds, 0.25
    phases = (0.1, 0.13, 0.16, 0.199)
    assert all(counted(shipped, phase) == pytest.approx(1, rel=0.1 / shipped) for phase in phases)
    assert any(abs(counted(short, phase) - 1) > 0.1 for phase in phases)
    assert 0.1 / shipped < 0.05
