"""What a machine's YAML may get wrong, and the one message each mistake gets: file, line, key, found, allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sim import shipped, source
from sim.arch.load import FOLDER, arch_of, load_arch
from sim.errors import InputError
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from tests.arch.building import Write, refusal


def test_an_unknown_key_is_told_with_its_line_the_nearest_name_and_all_names(write: Write) -> None:
    file = write("extends: anda-hpca25", "name: mine", "bpc:", "  lane: 16")
    error = refusal(file)
    assert str(error) == (
        f"{file}:4: bpc.lane: unknown key; did you mean `lanes`?\n  allowed    group_size, lanes, source"
    )


def test_an_unknown_section_is_told_too(write: Write) -> None:
    file = write("extends: anda-hpca25", "bufers:", "  weight: {bytes: 3}")
    error = refusal(file)
    assert (str(error.place), error.field, error.nearest) == (f"{file}:2", "bufers", "buffers")


def test_an_unknown_key_is_told_before_the_one_it_leaves_missing(write: Write) -> None:
    lines = shipped.find("anda-hpca25", FOLDER).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.strip().startswith("rows: 16"))
    lines[line - 1] = "  row: 16"
    file = write(*lines)
    error = refusal(file)
    assert (str(error.place), error.field, error.nearest) == (f"{file}:{line}", "mxu.row", "rows")


def test_a_missing_key_is_named(write: Write) -> None:
    lines = [
        text for text in shipped.find("anda-hpca25", FOLDER).read_text().splitlines() if "vector: {fpus" not in text
    ]
    error = refusal(write(*lines))
    assert (error.field, error.problem) == ("vector", "missing")


@pytest.mark.parametrize(
    ("line", "field", "problem"),
    [
        ("mxu: {rows: 16.5}", "mxu.rows", "expected integer, found 16.5"),
        ("mxu: {rows: true}", "mxu.rows", "expected integer, found True"),
        ("mxu: {rows: null}", "mxu.rows", "expected integer, found None"),
        ("mxu: {rows: [16]}", "mxu.rows", "expected integer, found [16]"),
        ("mxu: {rows: 0}", "mxu.rows", "expected greater than or equal to 1, found 0"),
        ("mxu: {mantissa_bits: 0}", "mxu.mantissa_bits", "expected greater than or equal to 1, found 0"),
        ("mxu: {mantissa_bits: 17}", "mxu.mantissa_bits", "expected less than or equal to 16, found 17"),
        ("mxu: {dot_length: 40}", "mxu.dot_length", "expected a multiple of 16, found 40"),
        ("mxu: 16", "mxu", "expected a section of keys, found 16"),
        ("mxu: null", "mxu", "expected a section of keys, found None"),
        ("mxu: {pe: 7}", "mxu.pe", "expected string, found 7"),
        ("dram: {bandwidth_gigabytes_per_second: fast}", "dram.bandwidth_gigabytes_per_second", "`fast` is neither"),
        ("dram: {bandwidth_gigabytes_per_second: .nan}", "dram.bandwidth_gigabytes_per_second", "found nan"),
        ("dram: {latency_nanoseconds: -1}", "dram.latency_nanoseconds", "greater than or equal to 0, found -1"),
        ("buffers: {weight: {double_buffered: 1}}", "buffers.weight.double_buffered", "expected boolean, found 1"),
        ("buffers: {weight: {fill_port_bits: 12}}", "buffers.weight.fill_port_bits", "multiple of 8, found 12"),
        ("activation_dispatcher: {port_bits: 100}", "activation_dispatcher.port_bits", "multiple of 64, found 100"),
        ("schedule: {token_block: 0}", "schedule.token_block", "greater than or equal to 1, found 0"),
        ("name: ''", "name", "at least 1 character, found ''"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(write: Write, line: str, field: str, problem: str) -> None:
    file = write("extends: anda-hpca25", "# a comment", line)
    error = refusal(file)
    assert (str(error.place), error.field) == (f"{file}:3", field)
    assert problem in error.problem


@pytest.mark.parametrize(
    ("override", "nearest", "allowed"),
    [
        ("dram.arbitration=round-robin", "round_robin", "first_come, priority or round_robin"),
        ("schedule.order=token_outer", "tokens_outer", "tokens_outer or outputs_outer"),
        ("schedule=best-cycle", "best-cycles", "best, best-cycles, best-dram-bytes, best-energy or best-energy-delay"),
        ("mxu.pe=fpint", "fp_int", "anda, figna, fp_fp, fp_int, ifpu, int8, int8_int4"),
    ],
)
def test_a_wrong_choice_is_told_with_the_nearest_and_all(override: str, nearest: str, allowed: str) -> None:
    error = refusal("anda-hpca25", override)
    assert error.nearest == nearest
    assert error.facts["allowed"] == allowed


@pytest.mark.parametrize(
    ("arch", "overrides", "field", "found"),
    [
        ("figna-m11", ["activation_dispatcher.port_bits=1024"], "activation_dispatcher.port_bits", "rows of 96 bits"),
        (
            "anda-hpca25",
            ["mxu.dot_length=48", "activation_dispatcher.port_bits=1024"],
            "activation_dispatcher.port_bits",
            "rows of 48 bits",
        ),
        (
            "fp-fp",
            ["activation_dispatcher.exponent_port_bits=80"],
            "activation_dispatcher.exponent_port_bits",
            "has no",
        ),
        ("fp-fp", ["bpc={lanes: 16}"], "bpc", "has no"),
        ("fp-fp", ["buffers.activation.exponent_bytes=64"], "buffers.activation.exponent_bytes", "must be 0"),
        (
            "fp-fp",
            [f"cost.bpc={load_arch('anda-hpca25').cost.bpc.model_dump(exclude={'source'})}"],
            "cost.bpc",
            "only with",
        ),
        ("fp-fp", ["mxu.lanes=null"], "mxu.lanes", "missing; a PE of kind fp_fp needs it"),
        ("fp-fp", ["mxu.mantissa_bits=11"], "mxu.mantissa_bits", "has no mantissa_bits"),
        ("figna", ["mxu.mantissa_bits=null"], "mxu.mantissa_bits", "missing; a PE of kind figna needs it"),
        ("anda-hpca25", ["mxu.lanes=4"], "mxu.lanes", "has no lanes"),
        ("anda-hpca25", ["bpc=null"], "bpc", "needs it"),
        ("anda-hpca25", ["cost.bpc=null"], "cost.bpc", "stands with `bpc`"),
        (
            "anda-hpca25",
            ["activation_dispatcher.exponent_port_bits=null"],
            "activation_dispatcher.exponent_port_bits",
            "needs",
        ),
        (
            "anda-hpca25",
            ["buffers.activation.exponent_bytes=0"],
            "buffers.activation.exponent_bytes",
            "must be above 0",
        ),
        ("anda-hpca25", ["bpc.group_size=32"], "bpc.group_size", "found 32"),
        ("anda-hpca25", ["buffers.weight.banks=3"], "buffers.weight.banks", "3 banks do not divide 1048576 bytes"),
        ("anda-hpca25", ["schedule.output_block=96"], "schedule.output_block", "found 96"),
        ("anda-hpca25", ["mxu.columns=24", "schedule.output_block=64"], "schedule.output_block", "found 64"),
        ("anda-hpca25", ["schedule.k_block=100"], "schedule.k_block", "found 100"),
        ("anda-hpca25", ["buffers.weight.bytes=8192"], "buffers.weight.bytes", "outside the SRAM table"),
        (
            "anda-hpca25",
            ["buffers.activation.exponent_bytes=1000"],
            "buffers.activation.exponent_bytes",
            "outside the SRAM",
        ),
        (
            "anda-hpca25",
            ["clock.frequency_megahertz=2000"],
            "clock.frequency_megahertz",
            "285 MHz do not scale that far",
        ),
        (
            "anda-hpca25",
            ["clock.frequency_megahertz=1000", "mxu.pipeline_cycles=17"],
            "mxu.pipeline_cycles",
            "too few stages for 1000 MHz",
        ),
        ("anda-hpca25", ["mxu.pipeline_cycles=4"], "mxu.pipeline_cycles", "too few stages for 285 MHz"),
        (
            "anda-hpca25",
            ["cost.sram.node_nanometres=22", "cost.plane_fill=null"],
            "cost.pe.describes.node_nanometres",
            "no rule",
        ),
        ("fp-fp", ["mxu.pe=fp_int"], "cost.pe.describes.kind", "figures of a PE of kind fp_fp"),
        ("fp-fp", ["cost.pe.growth.with_dot_length=0.1"], "cost.pe.growth", "add up to more than 1"),
        ("fp-fp", ["cost.pe.describes.mantissa_bits=8"], "cost.pe.describes.mantissa_bits", "only with it"),
        ("anda-hpca25", ["cost.controller.area_square_millimetres=0.001", "writer.blocks=1"], "cost", "smaller than"),
        ("anda-hpca25", ["weight_dispatcher.port_bits=4096"], "buffers.weight.bytes", "outside the SRAM table"),
    ],
)
def test_parts_that_contradict_one_another_are_refused(arch: str, overrides: list[str], field: str, found: str) -> None:
    error = refusal(arch, *overrides)
    assert error.field == field
    assert found in error.problem
    assert error.place is not None


def test_a_contradiction_is_told_where_the_key_was_written(write: Write) -> None:
    file = write("extends: anda-hpca25", "schedule:", "  output_block: 96")
    error = refusal(file)
    assert str(error.place) == f"{file}:3"
    # whole tiles of 16 columns and whole groups of 64
    assert str(error.facts["allowed"]).startswith("multiples of 64")


def keys(values: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if path:
        yield ".".join(path)
    if isinstance(values, dict):
        for key, inner in values.items():
            yield from keys(inner, (*path, key))


@pytest.mark.parametrize("value", ["0", "-1", "x", "null", "[]", "{}", "true", ".nan", "1.0e+30", "3.5"])
def test_no_value_of_any_key_ends_in_anything_but_a_machine_or_a_message(value: str) -> None:
    shipped_file = source.load(shipped.find("anda-hpca25", FOLDER), FOLDER)
    messages: dict[str, str] = {}
    for key in keys(load_arch("anda-hpca25").model_dump()):
        try:
            arch = arch_of(source.with_overrides(shipped_file, [f"{key}={value}"]))
            Machine(arch)
            area_square_millimetres(arch)
        except InputError as error:
            messages[key] = str(error)
    assert len(messages) > 10
    for key, message in messages.items():
        assert key.split(".")[0] in message
