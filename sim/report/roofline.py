"""The roofline model: what each GeMM achieves, and what its machine's arithmetic and DRAM allow.

    attainable MAC/s = min(peak MAC/s, MAC per DRAM byte x DRAM byte/s)

The peak of a bit-serial machine depends on the mantissa length, so a machine has a ceiling for every peak at which its
GeMMs run. (Williams, Waterman, Patterson, "Roofline", CACM 2009.)
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.result import Layer, Result


@dataclass(frozen=True)
class RooflinePoint:
    """GeMMs of one module that do equally well: MAC a DRAM byte, MAC a second, their names, and the first of them."""

    module: str
    intensity: float
    speed: float
    names: tuple[str, ...]
    layer: Layer


@dataclass(frozen=True, order=True)
class Ceiling:
    """What a machine allows, in MAC a second and bytes a second."""

    speed: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The MAC a byte from which on arithmetic limits."""
        return self.speed / self.bandwidth


def points(result: Result) -> list[RooflinePoint]:
    """The GeMMs that read or write DRAM, equal ones together."""
    alike: dict[tuple[str, float, float], list[Layer]] = {}
    for layer in result.layers:
        if layer.macs and layer.dram_bytes:
            speed = layer.macs / layer.cycles * result.clock_hertz
            alike.setdefault((layer.module, layer.macs / layer.dram_bytes, speed), []).append(layer)
    return [
        RooflinePoint(module, intensity, speed, tuple(dict.fromkeys(layer.name for layer in layers)), layers[0])
        for (module, intensity, speed), layers in alike.items()
    ]


def ceilings(result: Result) -> set[Ceiling]:
    """A ceiling for every peak at which a GeMM of the result runs."""
    clock = result.clock_hertz
    bandwidth = result.peak.dram_bytes_per_cycle * clock
    return {Ceiling(layer.peak_macs_per_cycle * clock, bandwidth) for layer in result.layers if layer.macs}
