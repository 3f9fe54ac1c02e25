"""A result adds up: its totals and its modules are its layers, each as often as it occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from sim.result import Layer, Result
from sim.workload.gemm import Gemm
from tests.results import NORM, anda, simulated, small_llama, work_of

PICOJOULES = 1e-9
"""Relative; of sums of doubles."""
GEMM = Gemm("ragged", "o", m=45, k=999, n=205, count=7, mantissa_bits=5, output_mantissa_bits=11)
ODD = work_of(GEMM, NORM, replace(GEMM, n=66, mantissa_bits=9), replace(GEMM, module="up", count=1))
"""Equal GeMMs in two modules, a module of two lengths, sizes that divide nothing."""
RESULTS: dict[str, Callable[[], Result]] = {
    "Anda": anda,
    "all of a layer": lambda: simulated(work=small_llama(scope="all", phase="both", steps=3, batch=2)),
    "FP-FP": lambda: simulated("fp-fp", work=small_llama(scope="all")),
    "vector work alone": lambda: simulated(work=work_of(NORM)),
    "odd": lambda: simulated("anda-hpca25", work=ODD),
    "odd, little bandwidth": lambda: simulated("figna", "dram.bandwidth_gigabytes_per_second=3", work=ODD),
    "odd, three MXUs": lambda: simulated("anda-datacenter", "mxu.count=3", "schedule.output_block=192", work=ODD),
    "odd, best schedule": lambda: simulated("anda-edge", "schedule=best-dram-bytes", work=ODD),
}


@pytest.fixture(params=RESULTS.values(), ids=RESULTS)
def found(request: pytest.FixtureRequest) -> Result:
    """A result, simulated once."""
    result: Result = request.param()
    return result


def summed(layers: Iterable[Layer], figure: str) -> float:
    return sum(layer.count * getattr(layer, figure) for layer in layers)


def test_totals_are_those_of_the_layers(found: Result) -> None:
    for figure in ("cycles", "macs", "bit_operations", "dram_bytes"):
        assert getattr(found.totals, figure) == summed(found.layers, figure), figure
    assert found.totals.energy_picojoules == pytest.approx(summed(found.layers, "energy_picojoules"), rel=PICOJOULES)
    # Bits of a byte begun count as a byte, once in the totals and once in each instance of a layer.
    begun = summed(found.layers, "sram_bytes") - found.totals.sram_bytes
    assert 0 <= begun < sum(layer.count for layer in found.layers)
    assert found.totals.seconds == pytest.approx(found.totals.cycles / found.clock_hertz, rel=1e-15)
    assert found.totals.area_square_millimetres == pytest.approx(sum(found.area.values()), rel=1e-15)


def test_every_layer_belongs_to_one_module(found: Result) -> None:
    assert found.modules.keys() == {layer.module for layer in found.layers}
    for name, module in found.modules.items():
        own = [layer for layer in found.layers if layer.module == name]
        for figure in ("cycles", "macs", "dram_bytes"):
            assert getattr(module, figure) == summed(own, figure), (name, figure)
        lengths = {layer.mantissa_bits for layer in own}
        assert module.mantissa_bits == (lengths.pop() if len(lengths) == 1 else None)
    energy = sum(module.energy_picojoules for module in found.modules.values())
    assert energy == pytest.approx(found.totals.energy_picojoules, rel=PICOJOULES)


def test_every_layer_belongs_to_one_phase(found: Result) -> None:
    assert found.phases.keys() == {layer.phase for layer in found.layers}
    for name, phase in found.phases.items():
        own = [layer for layer in found.layers if layer.phase == name]
        for figure in ("cycles", "macs", "dram_bytes"):
            assert getattr(phase, figure) == summed(own, figure), (name, figure)
        assert phase.waterfall.useful == sum(layer.count * layer.waterfall.useful for layer in own)
    assert found.waterfall.useful == sum(phase.waterfall.useful for phase in found.phases.values())
    energy = sum(phase.energy_picojoules for phase in found.phases.values())
    assert energy == pytest.approx(found.totals.energy_picojoules, rel=PICOJOULES)


def test_every_unit_spends_all_cycles_and_rests_where_it_has_no_part(found: Result) -> None:
    for name, unit in found.units.items():
        stalls: Counter[str] = Counter()
        busy = 0
        for layer in found.layers:
            if name in layer.units:
                busy += layer.count * layer.units[name].busy_cycles
                stalls.update({cause: layer.count * n for cause, n in layer.units[name].stalled_cycles.items()})
        assert (unit.busy_cycles, unit.stalled_cycles) == (busy, stalls)
        assert unit.busy_cycles + unit.idle_cycles + sum(stalls.values()) == found.totals.cycles
    assert found.units.keys() == {name for layer in found.layers for name in layer.units}


def test_bounds_and_what_was_skipped_add_up_too(found: Result) -> None:
    for side in ("lower_cycles", "upper_cycles"):
        assert getattr(found.bounds, side) == sum(layer.count * getattr(layer.bounds, side) for layer in found.layers)
    assert found.bounds.lower_cycles <= found.totals.cycles <= found.bounds.upper_cycles
    skipped = [layer.count * layer.fast_forward.skipped_cycles for layer in found.layers]
    assert found.fast_forward.skipped_cycles == sum(skipped)
    obstacles = {layer.fast_forward.obstacle for layer in found.layers} - {None}
    assert set(found.fast_forward.obstacles) == obstacles


def test_parts_of_the_energy_add_up(found: Result) -> None:
    for parts in (found.energy, found.energy_groups):
        assert sum(parts.values()) == pytest.approx(found.totals.energy_picojoules, rel=PICOJOULES)
