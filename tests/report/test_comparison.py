"""Speedups and efficiencies are the ratios that their definitions say."""

from dataclasses import replace

import pytest

from sim.errors import InputError
from sim.report.comparison import labels, standings
from sim.workload.gemm import Gemm
from tests.results import named, simulated, small_llama, work_of

Q = Gemm("q", "qkv", 16, 64, 64, mantissa_bits=7)


def test_the_baseline_stands_at_one_in_everything(paper):
    for baseline in range(len(paper)):
        own = standings(paper, baseline)[baseline]
        assert (own.speedup, own.energy_efficiency, own.area_efficiency) == (1, 1, 1)
        assert set(own.module_speedups.values()) == {1}


def test_ratios_follow_from_seconds_energy_and_area(paper):
    base = paper[0].totals
    for one, result in zip(standings(paper), paper, strict=True):
        own = result.totals
        assert one.speedup == pytest.approx(base.seconds / own.seconds, rel=1e-15)
        assert one.energy_efficiency == pytest.approx(base.energy_picojoules / own.energy_picojoules, rel=1e-15)
        # MACs a second and mm2, and the MACs are the same.
        throughput = {name: t.macs / t.seconds / t.area_square_millimetres for name, t in
                      (("own", own), ("base", base))}  # fmt: skip
        assert one.area_efficiency == pytest.approx(throughput["own"] / throughput["base"], rel=1e-14)


def test_modules_are_compared_in_seconds_not_in_cycles():
    def at(megahertz):  # a memory as many times as fast, so that the cycles are the same
        clock = (f"clock.frequency_megahertz={megahertz}", f"dram.latency_nanoseconds={100_000 / megahertz}")
        clock += ("mxu.pipeline_cycles=11",)  # enough for both
        return simulated("fp-fp", *clock, f"dram.bandwidth_gigabytes_per_second={0.9 * megahertz}")

    slow, fast = at(100), at(1000)
    assert slow.totals.cycles == fast.totals.cycles
    one = standings([slow, fast])[1]
    assert one.speedup == pytest.approx(10, rel=1e-15)
    assert list(one.module_speedups.values()) == pytest.approx([10] * 4, rel=1e-15)


def test_a_module_that_the_baseline_lacks_has_no_speedup():
    base, other = (simulated(work=work_of(replace(Q, module=module))) for module in ("qkv", "other"))
    assert standings([base, other])[1].module_speedups == {}


def test_other_work_is_refused_with_both_described():
    small, large = (
        simulated("fp-fp"),
        named(simulated("fp-fp", work=work_of(replace(Q, count=2))), "tiny"),
    )
    with pytest.raises(InputError) as caught:
        standings([small, large])
    message = str(caught.value)
    assert message.startswith("tiny: does other work")
    assert f"{2 * 16 * 64 * 64} MACs in 2 operations" in message
    assert f"{small.totals.macs} MACs" in message


def test_work_is_the_same_however_its_layers_are_grouped():
    together, apart = (
        simulated(work=work_of(replace(Q, count=3))),
        simulated(work=work_of(Q, replace(Q, count=2))),
    )
    assert standings([together, apart])[1].speedup == 1


def test_machines_of_one_name_are_told_apart_by_precision_or_number(anda):
    other = simulated("anda-hpca25", work=small_llama(precision="4"))
    assert labels([anda, other, other, anda]) == [
        "anda-hpca25 wikitext2-1%", "anda-hpca25 4 4 4 4", "anda-hpca25 4 4 4 4 #2", "anda-hpca25 wikitext2-1% #2",
    ]  # fmt: skip
    assert labels([anda]) == ["anda-hpca25"]


def test_a_numbered_label_does_not_collide_with_a_name(anda):
    results = [named(anda, name) for name in ("a", "a", "a wikitext2-1% #2", "a")]
    assert len(set(labels(results))) == 4
