"""Whole GeMMs written down for the RTL: nothing is disturbed, nothing left out."""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import numpy as np
import pytest

from sim import shipped
from sim.arch.load import load_arch
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.rtl.checks import bench, complete
from sim.rtl.checks.matrix import compare, prepare, random_work
from sim.rtl.checks.recording import WITHOUT_RTL
from sim.rtl.checks.shape import SMALLER, Shape
from sim.rtl.checks.stimulus import Work
from sim.units.catalogue import unit_of


def work_of(machine: str, memory: int, seed: int = 3) -> Work:
    rng = random.Random(seed)
    shape = Shape.small(machine, compressed=machine.startswith("anda"))
    work = random_work(shape, rng, tokens=3, outputs=20, widths=(shape.code_bits,))
    return replace(work, arch=complete.with_memory(work.arch, rng, memory))


@pytest.mark.parametrize("memory", range(complete.MEMORIES))
def test_a_run_that_is_written_down_takes_as_long_as_one_that_is_not(memory: int) -> None:
    work = work_of("anda-hpca25", memory)
    machine = Machine(work.arch)
    _, trace, done = complete.run(work)
    alone = machine.run(work.gemm, SimulationOptions("beat"))
    assert (done.cycles, done.counters, done.states) == (alone.cycles, alone.counters, alone.states)
    beats = ("weight_dispatcher.beats", "activation_dispatcher.beats", "collector.beats", "bpc.rows")
    ports = ("weight", "activation", "output", "row")
    assert [len(trace.handshakes[port]) for port in ports] == [alone.counters[name] for name in beats]


def test_slower_memories_bring_chunks_later() -> None:
    last = [complete.run(work_of("figna", memory))[0].weight_chunks[-1] for memory in range(4)]
    assert last == sorted(last)
    assert last[-1] > 10 * last[0]


@pytest.mark.usefixtures("compiler")
def test_rtl_that_is_told_of_later_chunks_than_the_run_had_is_seen() -> None:
    work = work_of("figna", 2)
    stalls, trace, _ = complete.run(work)
    late = replace(stalls, weight_chunks=stalls.weight_chunks + np.arange(len(stalls.weight_chunks)) % 2)
    design = work.shape.design()
    cases = [prepare(design, work, side).case for side in (stalls, late)]
    first, second = (compare(work, trace, seen) for seen in bench.run(design, cases))
    assert not first.differences
    assert second.differences


@pytest.mark.parametrize("machine", shipped.names("arch_configs"))
def test_a_small_machine_is_the_shipped_one_with_fewer_rows_columns_and_mxus(machine: str) -> None:
    whole, shape = load_arch(machine), Shape.small(machine)
    small = shape.arch
    assert (small.mxu.rows, small.mxu.columns) == (max(1, whole.mxu.rows // SMALLER), whole.mxu.columns // SMALLER)
    assert small.mxu.count == 1
    scaled = {"rows", "columns", "count", "pipeline_cycles"}
    assert small.mxu.model_dump(exclude=scaled) == whole.mxu.model_dump(exclude=scaled)
    assert (small.controller, small.writer.blocks) == (whole.controller, whole.writer.blocks)


def test_every_unit_has_rtl_or_is_listed_as_simulated_only() -> None:
    texts = {name: sys.modules[unit.__module__].__doc__ or "" for name, unit in unit_of().items()}
    with_rtl = {name for name, text in texts.items() if "RTL: sim/rtl/modules/" in text}
    assert with_rtl >= {"mxu", "collector", "bpc"}
    assert texts.keys() - with_rtl == WITHOUT_RTL.keys()
