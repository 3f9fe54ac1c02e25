"""The trace is valid JSON, its spans are those that were told, and it is there as a whole or not at all."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InputError
from sim.report.perfetto import PerfettoWriter

STATES = ("busy", "idle", "weights", "output_space")
SHOWN = {"busy": "busy", "weights": "waits for weights", "output_space": "waits for output space"}

# For every unit, states and their cycles one after the other.
lives = st.dictionaries(
    st.sampled_from(["mxu", "dram", 'odd "name"\n']), st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 9)))
)


def events_of(path, kind):
    return [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == kind]


@given(st.lists(lives, max_size=4))
def test_every_cycle_is_shown_in_the_state_it_was_told_in(tmp_path_factory, gemms):
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    expected, offset = {}, 0
    with PerfettoWriter(path) as trace:
        for process, units in enumerate(gemms, 1):
            trace.begin(f"gemm {process}", offset)
            length = 0
            for unit, spans in units.items():
                now = 0
                for state, cycles in spans:
                    trace.span(unit, state, now, now + cycles)
                    if state != "idle":
                        expected |= {(process, unit, offset + at): SHOWN[state] for at in range(now, now + cycles)}
                    now += cycles
                length = max(length, now)
            offset += length
    threads = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in events_of(path, "M")
        if event["name"] == "thread_name"
    }
    shown = {}
    for event in events_of(path, "X"):
        unit = threads[event["pid"], event["tid"]]
        for cycle in range(event["ts"], event["ts"] + event["dur"]):
            assert (event["pid"], unit, cycle) not in shown, "spans of one unit overlap"
            shown[event["pid"], unit, cycle] = event["name"]
    assert shown == expected
    names = [event["args"]["name"] for event in events_of(path, "M") if event["name"] == "process_name"]
    assert names == [f"gemm {process}" for process in range(1, len(gemms) + 1)]


def test_states_that_are_numbers_are_a_curve(tmp_path):
    with PerfettoWriter(tmp_path / "trace.json") as trace:
        trace.begin("a", 100)
        for level, start, end in (("7", 0, 5), ("7", 5, 6), ("12", 6, 9), ("3", 20, 25)):
            trace.span("dram banks open", level, start, end)
    curve = {event["ts"]: event["args"][""] for event in events_of(tmp_path / "trace.json", "C")}
    assert curve == {100: 7, 106: 12, 109: 0, 120: 3, 125: 0}
    assert not events_of(tmp_path / "trace.json", "X")
    assert not [event for event in events_of(tmp_path / "trace.json", "M") if event["name"] == "thread_name"]


def test_neighbours_in_one_state_are_one_span(tmp_path):
    with PerfettoWriter(tmp_path / "trace.json") as trace:
        trace.begin("q", 1000)
        for cycle in range(50):
            trace.span("mxu", "busy", cycle, cycle + 1)
        trace.span("mxu", "weights", 50, 50)  # no cycle, no span, and no cut
        trace.span("mxu", "busy", 50, 60)
        trace.span("mxu", "busy", 61, 62)
    spans = [(event["ts"], event["dur"]) for event in events_of(tmp_path / "trace.json", "X")]
    assert spans == [(1000, 60), (1061, 1)]


def test_the_scale_is_told(tmp_path):
    with PerfettoWriter(tmp_path / "trace.json") as trace:
        trace.begin("q", 0)
    told = json.loads((tmp_path / "trace.json").read_text())
    assert told["otherData"] == {"timestamps": "1 us is 1 cycle"}
    assert {"labels": "1 us is 1 cycle"} in [event["args"] for event in told["traceEvents"]]


def write_spans(path, *spans, then=None):
    with PerfettoWriter(path) as trace:
        trace.begin("q", 0)
        for span in spans:
            trace.span("mxu", *span)
        if then:
            raise then


@pytest.mark.parametrize(("start", "end"), [(9, 20), (12, 11)])
def test_a_span_that_overlaps_or_runs_backwards_is_a_defect_named_with_both_sides(tmp_path, start, end):
    message = f"mxu: span `weights` from cycle {start} to {end} after `busy` until 10"
    with pytest.raises(ValueError, match=message):
        write_spans(tmp_path / "trace.json", ("busy", 0, 10), ("weights", start, end))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_trace_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_spans(tmp_path / "trace.json", ("busy", 0, 10), then=KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_the_users_message(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_spans(tmp_path / "none" / "trace.json")


def test_memory_does_not_grow_with_the_spans(tmp_path):
    with PerfettoWriter(tmp_path / "trace.json") as trace:
        trace.begin("q", 0)

        def grown(first, last):
            tracemalloc.start()
            for cycle in range(first, last):
                trace.span("mxu", STATES[cycle % 2 * 2], cycle, cycle + 1)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return peak

        grown(0, 1000)
        # A list of the 20,000 spans would take at least a pointer each.
        assert grown(1000, 21_000) - grown(21_000, 22_000) < 8 * 20_000
