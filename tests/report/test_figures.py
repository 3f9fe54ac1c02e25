"""What the figures draw adds up to what the result says."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.report.comparison import labels
from sim.report.figures.bandwidth import bandwidth
from sim.report.figures.roofline import roofline
from sim.report.figures.stacked import stacked
from sim.report.figures.stalls import cycles_by_state, stalls
from sim.report.roofline import Ceiling, ceilings, points
from sim.report.vocabulary import COMPONENTS, MODULES, STATES, UNITS, colours, ordered
from tests.results import with_layer


def test_the_bars_of_every_unit_fill_a_hundred_percent(paper):
    figure = stalls(labels(paper), paper)
    sums = {}
    for trace in figure["data"]:
        for unit, share in zip(trace["y"], trace["x"], strict=True):
            sums[trace["xaxis"], unit] = sums.get((trace["xaxis"], unit), 0) + share
    assert len(sums) == sum(len(result.units) for result in paper)
    assert all(total == pytest.approx(100, rel=1e-12) for total in sums.values())


def test_a_stall_is_as_long_as_the_result_says(anda):
    [trace] = [trace for trace in stalls(["anda"], [anda])["data"] if trace["name"] == "waits for weights"]
    share = dict(zip(trace["y"], trace["x"], strict=True))["MXU"]
    assert share == 100 * anda.units["mxu"].stalled_cycles["weights"] / anda.totals.cycles


def test_units_stand_in_the_order_in_which_data_flows(anda):
    order = stalls(["anda"], [anda])["layout"]["yaxis"]["categoryarray"]
    assert order[0] == "DRAM"
    assert order[-1] == "controller"
    assert order.index("MXU") < order.index("writer")


def test_states_of_a_unit_are_all_of_its_cycles(anda):
    for unit in anda.units.values():
        assert sum(cycles_by_state(unit).values()) == anda.totals.cycles


def test_the_area_under_the_bandwidth_is_what_the_layers_move(paper):
    names = labels(paper)
    figure = bandwidth(names, paper, dict.fromkeys(names, "#000"))
    for trace, result in zip(figure["data"], paper, strict=True):
        peak = result.peak.dram_bytes_per_cycle * result.clock_hertz
        widths = [end - start for start, end in pairwise(trace["x"])]
        moved = sum(width * share / 100 * peak for width, share in zip(widths, trace["y"], strict=False))
        assert moved == pytest.approx(sum(layer.dram_bytes for layer in result.layers))
        assert trace["x"][-1] == pytest.approx(sum(layer.cycles for layer in result.layers) / result.clock_hertz)
        assert all(0 <= share <= 100 for share in trace["y"])


def test_stacked_bars_hold_every_part_of_every_machine(paper):
    figure = stacked(labels(paper), [result.energy for result in paper], COMPONENTS, "energy, pJ", str)
    for index, result in enumerate(paper):
        drawn = [trace["x"][index] for trace in figure["data"]]
        assert sorted(drawn) == sorted(result.energy.values())
    assert [trace["name"] for trace in figure["data"]][:3] == ["MXU", "vector", "BPC"]
    totals = [note["x"] for note in figure["layout"]["annotations"]]
    assert totals == [pytest.approx(math.fsum(result.energy.values())) for result in paper]


def test_a_machine_without_a_part_has_none_of_it(paper):
    without = {part: amount for part, amount in paper[0].energy.items() if part != "bpc"}
    paper = [replace(paper[0], energy=without), *paper[1:]]
    figure = stacked(labels(paper), [result.energy for result in paper], COMPONENTS, "energy, pJ", str)
    [bpc] = [trace for trace in figure["data"] if trace["name"] == "BPC"]
    assert bpc["x"][0] == 0
    assert bpc["x"][1] == paper[1].energy["bpc"]


def test_a_point_is_macs_a_byte_against_macs_a_second(anda):
    found = {name: point for point in points(anda) for name in point.names}
    for layer in anda.layers:
        point = found[layer.name]
        assert point.intensity == layer.macs / layer.dram_bytes
        assert point.speed == pytest.approx(layer.macs / (layer.cycles / anda.clock_hertz), rel=1e-15)


def test_equal_gemms_are_one_point_with_all_their_names(anda):
    assert [point.names for point in points(anda)] == [
        ("attention.q", "attention.k", "attention.v"), ("attention.o",), ("mlp.gate", "mlp.up"), ("mlp.down",),
    ]  # fmt: skip


def test_work_without_macs_or_without_dram_traffic_has_no_point(anda):
    found = with_layer(with_layer(anda, 0, macs=0), 3, dram_bytes=0)
    assert {name for point in points(found) for name in point.names} == {
        "attention.k", "attention.v", "mlp.gate", "mlp.up", "mlp.down",
    }  # fmt: skip


def test_a_ceiling_for_every_mantissa_length(anda):
    # 16384 MACs a pass of M + 1 cycles, for M = 7, 5 and 6; HBM2 of 256 GB/s.
    assert {(one.speed, round(one.bandwidth)) for one in ceilings(anda)} == {
        (16384 / (bits + 1) * 285e6, 256 * 10**9) for bits in (7, 5, 6)
    }


def test_no_point_lies_above_the_ceiling_of_its_peak(paper):
    for result in paper:
        bandwidth = result.peak.dram_bytes_per_cycle * result.clock_hertz
        for point in points(result):
            peak = point.layer.peak_macs_per_cycle * result.clock_hertz
            assert point.speed <= min(peak, point.intensity * bandwidth)


def test_machines_that_share_a_ceiling_share_its_line(paper):
    figure = roofline(labels(paper), paper, colours(labels(paper), {}))
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    # Cycles a group: 16 (four machines), 11, 8 (FIGNA-M8 and Anda at M = 7), 7, 6.
    assert len(lines) == 5
    notes = [note["text"] for note in figure["layout"]["annotations"]]
    assert notes[0] == "291.8 GMAC/s fp-fp, fp-int, ifpu, figna"
    assert notes[2] == "583.7 GMAC/s figna-m8, anda-hpca25"
    for line in lines:
        (x0, ridge, x1), (y0, knee, y1) = line["x"], line["y"]
        assert knee == y1
        assert y0 / x0 == pytest.approx(knee / ridge)
        assert x0 < ridge < x1


@given(st.lists(st.floats(1e6, 1e13), min_size=1, max_size=12))
def test_labels_of_ceilings_never_cover_one_another(speeds):
    from sim.report.figures.roofline import _LINE, _PLOT, _labels

    bottom, top = min(speeds) / 2, max(speeds) * 2
    sharing = {Ceiling(speed, 1e9): ["a"] for speed in speeds}
    heights = [
        _PLOT * (label["y"] - math.log10(bottom)) / math.log10(top / bottom) + label["yshift"]
        for label in _labels(sharing, bottom, top)
    ]
    assert all(upper - lower >= _LINE * (1 - 1e-6) for lower, upper in pairwise(heights))


def test_a_result_without_gemms_has_an_empty_roofline(anda):
    without = replace(anda, layers=tuple(replace(layer, macs=0) for layer in anda.layers))
    assert roofline(["anda"], [without], {"anda": "#000000"})["data"] == []


def test_a_name_keeps_its_colour_whoever_stands_beside_it():
    for known in (STATES, COMPONENTS, MODULES):
        alone = {name: colours([name], known)[name] for name in known}
        assert colours(reversed(known), known) == alone == known


def test_names_that_are_not_known_come_last_in_colours_of_their_own():
    found = colours(["mine", "dram", "yours", "mxu"], COMPONENTS)
    assert list(found) == ["mxu", "dram", "mine", "yours"]
    assert len(set(found.values())) == 4
    assert ordered(["b", "mxu", "a", "b"], UNITS) == ["mxu", "b", "a"]
