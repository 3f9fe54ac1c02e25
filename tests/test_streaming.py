"""`stream`: a model's layers as one program, from the command line and in the page that describes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.machine import Machine
from sim.streaming import stream
from sim.workload.load import load_workload
from tests.test_cli import Console, console

__all__ = ["console"]

PAGE = Path(__file__).parent.parent / "docs" / "programs.md"
ROW = re.compile(
    r"\| ([\w-]+) \| ([\w-]+) \| (\w+), (?:batch (\d+)|[\d,]+ tokens) \| ([\d,]+) \| ([\d,]+) \| ([-+.\d]+) % \|"
)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_page_shows_what_the_command_gives() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) == 4
    for machine, model, phase, batch, alone, streamed, change in rows:
        work = load_workload(model, phase=phase, **({"batch": int(batch)} if batch else {}))
        [found] = stream(load_arch(machine), work)
        assert (found.alone_cycles, found.streamed_cycles) == (number(alone), number(streamed))
        assert f"{100 * (found.streamed_cycles / found.alone_cycles - 1):+.2f}" == change


def test_modules_add_up_and_pieces_are_those_of_run() -> None:
    work = load_workload("llama3-8b", phase="decode", batch=4, steps=3)
    [phase] = stream(arch := load_arch("anda-datacenter"), work)
    assert phase.layers == 32 * 3
    assert sum(one.streamed_cycles for one in phase.modules) == phase.streamed_cycles
    assert sum(one.alone_cycles for one in phase.modules) == phase.alone_cycles
    machine = Machine(arch)
    assert phase.alone_cycles == sum(gemm.count * machine.run(gemm).cycles for gemm in work.gemms)


def test_the_command_prints_a_table_or_json(console: Console) -> None:
    asked = ["stream", "anda-datacenter", "llama-7b", "--phase", "decode"]
    _, shown, _ = console(*asked)
    _, data, _ = console(*asked, "--json")
    [phase] = json.loads(data)
    for cycles in (phase["alone_cycles"], phase["streamed_cycles"]):
        assert f"{cycles:,}" in shown


@pytest.mark.parametrize(
    ("arch", "model", "asked", "told"),
    [
        ([], "llama-7b", {"scope": "all"}, "attention.norm does not stream yet"),
        ([], "mixtral-8x7b", {"phase": "decode"}, "layers or steps differ"),
        ([], "pmpd-7b", {"phase": "decode"}, "layers or steps differ"),
        (["schedule=best"], "llama-7b", {}, "a program needs blocks"),
    ],
)
def test_what_does_not_stream_is_refused_by_name(arch: list[str], model: str, asked: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        stream(load_arch("anda-hpca25", arch), load_workload(model, **asked))


def test_a_grain_that_is_none_is_refused(console: Console) -> None:
    code, _, told = console("stream", "anda-hpca25", "llama-7b", "--grain", "tilee")
    assert code == 2
    assert "did you mean `tile`?" in told
