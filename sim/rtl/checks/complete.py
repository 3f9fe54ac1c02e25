"""Whole GeMMs on small versions of the shipped machines: the RTL against the simulator's own run, DRAM included.

The machine runs as in any simulation, at the beat grain and held against its laws. The RTL is then held up only where
the run was by what has no RTL (recording.py), and must do the same in every cycle.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim.arch.dram import DramConfig
from sim.arch.schema import Arch
from sim.laws.expectation import expect
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.execution import assemble
from sim.machine.machine import Machine
from sim.rtl.checks import bench
from sim.rtl.checks.bench import RtlCase
from sim.rtl.checks.build import TAIL, Design
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.matrix import compare, derived, prepare, random_work
from sim.rtl.checks.recording import OPEN, record
from sim.rtl.checks.reference import HandshakeTrace, Stalls
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.stimulus import Work
from sim.units.dram.banks.standards import standards

GIGABYTES_PER_SECOND = (256, 32, 4, 0.5)
"""Of the flat channel: from one that these small machines never wait for to one that they always do."""
MEMORIES = len(GIGABYTES_PER_SECOND) + 1
"""Those channels, and banks."""
ROW_TILES, COLUMN_TILES = 3, 20
"""Of a GeMM, at most: more than one output block in each direction."""


def with_memory(arch: Arch, rng: random.Random, kind: int) -> Arch:
    """The machine with a flat channel of a bandwidth; with banks for the last kind."""
    if kind < len(GIGABYTES_PER_SECOND):
        dram = arch.dram.model_copy(update={"bandwidth_gigabytes_per_second": GIGABYTES_PER_SECOND[kind]})
        return arch.model_copy(update={"dram": dram})
    name = rng.choice(sorted(standards()))
    standard = standards()[name]
    values = {
        "kind": "banks",
        "standard": name,
        "count": 1,
        "latency_nanoseconds": rng.choice([0, 10, 70]),
        "transaction_bytes": standard.burst_bytes * standard.channels * standard.groups * rng.choice([1, 2, 8]),
        "arbitration": rng.choice(["round_robin", "first_come", "priority"]),
        "outstanding_loads": arch.dram.outstanding_loads,
    }
    # The faster the array, the longer it waits.
    clock = arch.clock.model_copy(update={"frequency_megahertz": arch.clock.frequency_megahertz * rng.choice([1, 30])})
    banks = DramConfig.described_by(values).model_validate(values, strict=True)
    return arch.model_copy(update={"dram": banks, "clock": clock})


def run(work: Work) -> tuple[Stalls, HandshakeTrace, Run]:
    """Simulate a GeMM; what comes from parts without RTL, every handshake of the others, and what the run counts.

    Raises
    ------
    BrokenLawError
        Where the simulation contradicts itself.
    """
    piece = Machine(work.arch).piece(work.gemm)
    expected = expect(piece)
    assembly = assemble(piece, expected, SimulationOptions("beat"))
    noted = record(assembly)
    done = assembly.run()
    expected.check(done)
    blocks = len(noted.trace.handshakes["space"])
    stalls = Stalls(
        weight_chunks=np.array(noted.weight_chunks),
        activation_chunks=np.array(noted.activation_chunks),
        weight_gaps=np.zeros(len(noted.trace.handshakes["weight"]), np.int64),
        activation_gaps=np.zeros(len(noted.trace.handshakes["activation"]), np.int64),
        space=np.array(noted.slots[:blocks]),
        pattern=OPEN,
    )
    return stalls, derived(work, noted.trace), done


def check(shape: Shape, design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """One GeMM a seed, on each of the memories in turn; the differences of each."""
    sides: list[tuple[Work, HandshakeTrace, Run, RtlCase]] = []
    for seed in seeds:
        rng = random.Random(seed)
        work = random_work(shape, rng, tokens=ROW_TILES, outputs=COLUMN_TILES, widths=(shape.code_bits,))
        work = replace(work, arch=with_memory(work.arch, rng, seed % MEMORIES))
        stalls, trace, done = run(work)
        case = replace(prepare(design, work, stalls).case, max_cycles=done.cycles + TAIL)
        sides.append((work, trace, done, case))
    found = []
    for (work, trace, done, _), seen in zip(sides, bench.run(design, [case for *_, case in sides]), strict=True):
        comparison = compare(work, trace, seen)
        at_work = int(np.unpackbits(seen["word"].payload["working_o"]).sum())
        if at_work != done.counters["mxu.pe_cycles"]:
            counted = done.counters["mxu.pe_cycles"]
            comparison.differences.append(f"working_o: {at_work} PE cycles, the simulator counts {counted}")
        found.append(comparison)
    return found
