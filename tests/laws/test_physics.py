"""The limits come out as physics has them, and the published speeds follow from the hardware."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.result import Result
from sim.simulation import simulate
from sim.workload.load import load_workload


def run(arch: str, model: str, overrides: tuple[str, ...] = (), **options: Any) -> Result:
    return simulate(load_arch(arch, overrides), load_workload(model, **options))


@pytest.mark.parametrize("bits", range(1, 17))
def test_an_anda_group_costs_a_cycle_a_plane_and_one_for_the_signs_but_not_less_than_its_weights(bits: int) -> None:
    # 16 x 64 INT4 weights through 1,024 bits a cycle take 4 cycles; sign row and M planes take M + 1.
    # 16 tokens are one row tile: 4,096 / 16 output tiles of 4,096 / 64 groups each.
    result = run("anda-hpca25", "llama-7b", precision=str(bits), tokens=16)
    layer = next(layer for layer in result.layers if layer.module == "o")
    lost = {name: loss // layer.waterfall.multipliers for name, loss in layer.waterfall.losses.items()}
    groups = (4096 // 16) * (4096 // 64)
    busy = layer.units["mxu"].busy_cycles
    assert busy == groups * (bits + 1)
    # The last group has no successor whose weights it could wait for.
    assert busy + lost.get("weight_port", 0) == groups * max(bits + 1, 4) - max(4 - (bits + 1), 0)
    assert layer.cycles == busy + sum(lost.values())
    assert set(lost) <= {"weight_port", "fill_and_drain"}


AMPLE = ("dram.bandwidth_gigabytes_per_second=25600", "dram.time_quantum=null")


@pytest.mark.parametrize("model", ["llama-7b", "llama2-70b"])
@pytest.mark.parametrize("bits", [3, 4, 6, 8, 11, 16])
def test_with_ample_bandwidth_anda_is_16_over_planes_times_as_fast(model: str, bits: int) -> None:
    anda = run("anda-hpca25", model, AMPLE, precision=str(bits))
    fp = run("fp-fp", model, AMPLE, precision=str(bits))
    for module, base in fp.modules.items():
        speedup = Fraction(base.cycles, anda.modules[module].cycles)
        assert abs(speedup / Fraction(16, bits + 1) - 1) < Fraction(1, 100), module


@pytest.mark.parametrize(
    ("arch", "cycles"), [("fp-int", 16), ("ifpu", 16), ("figna", 16), ("figna-m11", 11), ("figna-m8", 8)]
)
def test_the_other_machines_are_as_fast_as_their_lanes(arch: str, cycles: int) -> None:
    machine = load_arch(arch)
    assert machine.mxu.lanes is not None
    assert -(-64 // machine.mxu.lanes) == cycles
    other, fp = run(arch, "llama-7b", AMPLE), run("fp-fp", "llama-7b", AMPLE)
    for module in fp.modules:
        speedup = Fraction(fp.modules[module].cycles, other.modules[module].cycles)
        assert abs(speedup / Fraction(16, cycles) - 1) < Fraction(1, 100), module


def test_prefill_is_compute_bound_on_the_published_machine() -> None:
    result = run("anda-hpca25", "llama-13b")
    assert (result.limit.unit, result.limit.cause) == ("mxu", "compute")
    assert result.totals.utilisation > 0.99


def test_decode_of_one_sequence_is_limited_by_row_occupancy_there() -> None:
    result = run("anda-hpca25", "llama-7b", phase="decode", batch=1)
    assert (result.limit.unit, result.limit.cause) == ("mxu", "row occupancy")
    assert "1 of 16 rows" in result.limit.text
    assert result.totals.utilisation == pytest.approx(1 / 16, rel=0.02)


def test_decode_is_memory_bound_with_many_weight_ports() -> None:
    result = run("anda-datacenter", "llama2-70b", phase="decode", batch=1)
    assert (result.limit.unit, result.limit.cause) == ("dram", "bandwidth")


@pytest.mark.parametrize("part", [10, 40])
@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_decode_waits_where_the_weights_of_a_group_outrun_the_channel_and_loses_rows_else(bits: int, part: int) -> None:
    # A group takes 16 x 64 INT4 weights and 16 scales and zero points for every 128 of K, in M + 1 cycles.
    weights = 16 * (64 * 4 + Fraction(20, 2)) / 8
    activations = Fraction(64 * (bits + 1) + 5, 8) / (4096 // 16)
    demand = weights / max(bits + 1, 4) + activations / (bits + 1)
    rate = Fraction(256 * 10**9, 285 * 10**6) / part
    result = run(
        "anda-hpca25",
        "opt-6.7b",
        (f"dram.bandwidth_gigabytes_per_second={256 / part}",),
        phase="decode",
        batch=1,
        precision=str(bits),
    )
    pace = float(min(1, rate / demand))
    waterfall = result.waterfall
    share = {name: loss / waterfall.whole for name, loss in waterfall.losses.items()}
    # The MXU takes words for as much of the time as the channel keeps up, one row in 16 of them.
    assert share["rows_without_tokens"] == pytest.approx(15 / 16 * pace, abs=0.03)
    assert share.get("weights_channel_busy", 0) == pytest.approx(1 - pace, abs=0.03)
    limited = ("mxu", "row occupancy") if 15 / 16 * pace > 1 - pace else ("dram", "bandwidth")
    assert (result.limit.unit, result.limit.cause) == limited
    busy = result.units["dram"].busy_cycles / result.totals.cycles
    assert busy == pytest.approx(min(1, float(demand / rate)), abs=0.03)
    assert result.ports["dram"] == pytest.approx(busy, abs=0.03)
