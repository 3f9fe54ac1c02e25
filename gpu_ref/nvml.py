"""Clocks, temperature, power and energy through NVML, as far as it is installed and the card answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpu_ref.card import CardState

_REASONS = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal",
    0x40: "hardware thermal",
    0x80: "power brake",
    0x100: "display clocks",
}


class Monitor:
    """The first card's readings; every one is None where it cannot be had. Nothing is ever set."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handle: Any = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml, self._handle = pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)
        except Exception:  # a missing package, library or permission: the reading is left out
            self._nvml = None

    def driver_version(self) -> str | None:
        version = self._read(lambda nvml, _: nvml.nvmlSystemGetDriverVersion())
        return version.decode() if isinstance(version, bytes) else version

    def energy_joules(self) -> float | None:
        """Since the driver was loaded."""
        millijoules = self._read(lambda nvml, handle: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        return None if millijoules is None else millijoules / 1000

    def state(self) -> CardState:
        power = self._read(lambda nvml, handle: nvml.nvmlDeviceGetPowerUsage(handle))
        reasons = self._read(lambda nvml, handle: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
        return CardState(
            sm_megahertz=self._read(lambda nvml, handle: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            memory_megahertz=self._read(lambda nvml, handle: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            temperature_celsius=self._read(
                lambda nvml, handle: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
            ),
            power_watts=None if power is None else power / 1000,
            throttle_reasons=None if reasons is None else _named(reasons),
        )

    def _read(self, reading: Callable[[Any, Any], Any]) -> Any:
        if self._nvml is None:
            return None
        try:
            return reading(self._nvml, self._handle)
        except (self._nvml.NVMLError, AttributeError):
            return None


def _named(reasons: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _REASONS.items() if reasons & bit)
