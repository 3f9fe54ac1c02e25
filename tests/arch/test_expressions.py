"""Sizes as expressions over other keys: what they resolve to, that a changed array is fed, and what is no size."""

from __future__ import annotations

from math import lcm
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Schedule
from sim.errors import InputError
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from sim.simulation import simulate
from sim.workload.load import load_workload
from tests.arch.building import Write, build, refusal

SIZES = {
    # weight port, activation port, exponent port, collector, compressor lanes, exponent bytes, token and output block
    "anda-hpca25": (1024, 1024, 80, 1024, 16, 131072, 32, 64),
    "anda-edge": (1024, 512, 80, 1024, 8, 32768, 16, 64),
    "anda-datacenter": (1024, 1024, 80, 1024, 16, 2097152, 256, 7680),
    "fp-fp": (1024, 1024, None, 1024, None, 0, 16, 64),
    "fp-int": (1024, 1024, None, 1024, None, 0, 16, 64),
    "ifpu": (1024, 1024, None, 1024, None, 0, 16, 64),
    "figna": (1024, 1024, None, 1024, None, 0, 16, 64),
    "figna-m11": (1024, 1536, None, 1024, None, 0, 16, 64),
    "figna-m8": (1024, 2048, None, 1024, None, 0, 16, 64),
}
"""Of the shipped machines, as they were written out before they were expressions."""


def sizes(name: str, *overrides: str) -> tuple[Any, ...]:
    arch = load_arch(name, overrides)
    schedule = arch.schedule
    assert isinstance(schedule, Schedule)
    return (
        arch.weight_dispatcher.port_bits,
        arch.activation_dispatcher.port_bits,
        arch.activation_dispatcher.exponent_port_bits,
        arch.collector.port_bits,
        arch.bpc and arch.bpc.lanes,
        arch.buffers.activation.exponent_bytes,
        schedule.token_block,
        schedule.output_block,
    )


@pytest.mark.parametrize("name", SIZES)
def test_the_shipped_machines_are_what_they_were(name: str) -> None:
    arch = load_arch(name)
    assert sizes(name) == SIZES[name]
    assert arch.schedule.k_block == 2048  # type: ignore[union-attr]
    assert (arch.buffers.weight.bytes, arch.buffers.weight.banks) == {
        "anda-datacenter": (62914560, 480),
        "anda-edge": (262144, 1),
    }.get(name, (1048576, 1))


FED = [
    *[(name, f"mxu.{key}", 2) for name in ("anda-hpca25", "fp-fp", "figna") for key in ("rows", "columns", "count")],
    *[(name, "mxu.lanes", 2) for name in ("fp-fp", "fp-int", "ifpu", "figna")],
    ("figna-m11", "mxu.columns", 2),
    ("figna-m8", "mxu.count", 2),
]


@pytest.mark.parametrize(("name", "key", "times"), FED)
def test_an_array_so_many_times_as_large_takes_so_much_less_time(name: str, key: str, times: int) -> None:
    # One layer's projections and MLP at 2,048 tokens: hundreds of groups a tile, so filling and draining are small.
    work = load_workload("llama-7b", precision="7", overrides=["layers=1", "run.tokens=2048"])
    before = load_arch(name)
    value = getattr(before.mxu, key.partition(".")[2])
    after = load_arch(name, [f"{key}={times * value}"])
    old, new = simulate(before, work), simulate(after, work)
    assert new.totals.cycles * times <= old.totals.cycles * 1.01
    assert new.limit.unit == "mxu"


def test_a_pe_that_is_changed_is_fed_through_what_it_tells() -> None:
    # 24 lanes of FP16: three cycles a group
    assert sizes("fp-fp", "mxu.lanes=24")[:2] == (16 * 24 * 16, 16 * 24 * 16)
    assert sizes("figna", "mxu.lanes=24")[:2] == (16 * 24 * 4, 16 * 24 * 16)
    assert sizes("anda-hpca25", "mxu.dot_length=128")[:2] == (16 * 128, 16 * 128)
    assert sizes("anda-hpca25", "mxu.pe=fp_int", "mxu.lanes=8")[1] == 16 * 8 * 16


@pytest.mark.parametrize("name", ["anda-hpca25", "fp-fp", "figna"])
def test_an_array_of_one_row_and_one_column_has_ports_as_wide_as_the_narrowest_memory(name: str) -> None:
    arch = build(name, "mxu.rows=1", "mxu.columns=1")
    assert (arch.activation_dispatcher.port_bits, arch.weight_dispatcher.port_bits) == (128, 128)


@pytest.mark.parametrize("columns", [8, 16, 24, 40])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("dot_length", [48, 64])
def test_blocks_follow_the_array(columns: int, count: int, dot_length: int) -> None:
    keys = [f"mxu.columns={columns}", f"mxu.count={count}", f"mxu.dot_length={dot_length}"]
    arch = load_arch("anda-hpca25", keys)
    Machine(arch)
    assert arch.schedule.output_block == lcm(dot_length, columns * count)  # type: ignore[union-attr]
    assert arch.schedule.k_block % dot_length == 0  # type: ignore[union-attr]


def test_an_expression_may_name_what_another_gives_defaults_and_what_a_pe_tells(write: Write) -> None:
    arch = build(
        write(
            "extends: fp-fp",
            "mxu: {rows: mxu.columns // 2, columns: 8 * mxu.count}",
            "weight_dispatcher: {port_bits: activation_dispatcher.port_bits}",
            "activation_dispatcher: {port_bits: 2 * mxu.rows * pe.word_bits}",
            "dram:",
            "  latency_nanoseconds: 1000 / clock.frequency_megahertz",
            "  time_quantum: none if mxu.count == 1 else 8",
        )
    )
    assert (arch.mxu.columns, arch.mxu.rows) == (8, 4)
    assert arch.activation_dispatcher.port_bits == arch.weight_dispatcher.port_bits == 2 * 4 * 64
    assert arch.dram.latency_nanoseconds == 1000 / 285  # type: ignore[attr-defined]
    assert arch.dram.time_quantum is None  # type: ignore[attr-defined]


def test_set_may_give_an_expression_and_takes_the_place_of_one() -> None:
    assert build("anda-hpca25", "collector.port_bits=2 * mxu.rows * 16").collector.port_bits == 512
    assert load_arch("anda-hpca25", ["mxu.rows=32", "collector.port_bits=1024"]).collector.port_bits == 1024


def test_the_result_holds_values_and_a_later_refusal_the_expression(write: Write) -> None:
    arch = load_arch("anda-hpca25", ["mxu.rows=32"])
    assert arch.model_dump()["activation_dispatcher"]["port_bits"] == 2048
    assert arch.expressions["activation_dispatcher", "port_bits"] == "max(128, mxu.rows * pe.word_bits)"
    file = write("extends: anda-hpca25", "schedule:", "  output_block: 3 * mxu.columns")
    error = refusal(file)
    assert str(error).startswith(f"{file}:3: schedule.output_block: found 48: a block holds whole tiles")
    assert error.facts["expression"] == "3 * mxu.columns"


def test_a_section_that_a_machine_lacks_has_none_of_its_keys() -> None:
    arch = build("fp-fp", "writer.blocks=2 if bpc.lanes == none else 3")
    assert arch.writer.blocks == 2


REFUSED = [
    ("mxu.columns + 0.5", "expected integer, found 16.5"),
    ("mxu.columns / 3 * 2", "expected integer, found 10.66"),
    ("mxu.columns / 0", "division by zero"),
    ("0 * mxu.columns", "expected greater than or equal to 1, found 0"),
    ("none", "expected integer, found None"),
    ("mxu.columns == 16", "expected integer, found True"),
    ("mxu.pe", "expected integer, found 'anda' (text)"),
    ("2 ** 63", f"too large: found {2**63}"),
    ("2 ** 5000", "more than 4096 bits"),
    ("2.0 ** 5000", "esult"),
    ("2 ** 1500 * 2 ** 1500", "a whole number of more than 1023 bits"),
    ("1e308 * 10", "not a finite number"),
    ("mxu.colum", "`mxu.colum` is neither a number nor a key"),
    ("columns", "`columns` is neither a number nor a key"),
    ("mxu", "`mxu` is no single value"),
    ("pe.cycles", "`pe.cycles` is neither a number nor a key"),
    ("bpc.lines", "`bpc.lines` is neither a number nor a key"),
    ("bpc.lanes if mxu.rws > 3 else 16", "`mxu.rws` is neither a number nor a key"),
    ("mxu.rows", "depends on itself: mxu.rows -> mxu.rows"),
    ("mxu.pe * 3", "'anda' is not a number"),
    ("16 tokens", "not an expression"),
    ("open('x')", "not an expression"),
    (" + ".join(["mxu.columns"] * 100), "not an expression: longer than 1000 characters"),
    (" + ".join(["1"] * 200), "not an expression: more than 200 parts"),
    ("(" * 300 + "1" + ")" * 300, "not an expression"),
    ("-" * 900 + "1", "not an expression"),
    ("1" * 5000, "not an expression"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=lambda text: text[:40])
def test_what_is_no_size_is_refused_with_the_line_the_expression_and_the_value(
    write: Write, text: str, problem: str
) -> None:
    file = write("extends: anda-hpca25", "mxu:", f'  rows: "{text}"')
    error = refusal(file)
    assert str(error.place) == f"{file}:3"
    assert error.field == "mxu.rows"
    assert problem in error.problem
    assert str(error.facts["expression"]).startswith(text[:80])
    assert len(str(error)) < 600


def test_a_circle_is_told_as_the_way_round(write: Write) -> None:
    file = write("extends: anda-hpca25", "mxu: {rows: mxu.columns}", "buffers: {weight: {banks: mxu.rows}}")
    assert (
        "mxu.rows -> buffers.weight.banks -> mxu.rows"
        in refusal(file, "mxu.columns=1", "mxu.rows=buffers.weight.banks").problem
    )
    told = refusal("anda-hpca25", "mxu.dot_length=pe.word_bits")
    assert "mxu.dot_length -> pe.word_bits -> mxu.dot_length" in told.problem


def test_a_wrong_key_is_told_before_an_expression_that_misses_it(write: Write) -> None:
    error = refusal(write("extends: anda-hpca25", "mxu: {rows: 0}", "collector: {port_bits: 64 // mxu.rows}"))
    assert (error.field, error.problem) == ("mxu.rows", "expected greater than or equal to 1, found 0")
    error = refusal(write("extends: anda-hpca25", "mux: {rows: 3}", "collector: {port_bits: 64 * mux.rws}"))
    assert (error.field, error.nearest) == ("mux", "mxu")


def test_what_the_pe_refuses_is_told_where_the_pe_is_described() -> None:
    error = refusal("fp-fp", "mxu.lanes=null")
    assert (error.field, str(error.place)) == ("mxu.lanes", "--set mxu.lanes=null")


def test_a_text_where_none_may_stand_is_no_expression() -> None:
    for override in ("dram.arbitration=mxu.rows", "mxu.pe=mxu.rows", "buffers.weight.double_buffered=mxu.rows"):
        with pytest.raises(InputError) as caught:
            area_square_millimetres(build("anda-hpca25", override))
        assert "mxu.rows" in str(caught.value)
