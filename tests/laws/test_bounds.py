"""The bounds: the compute bound is met exactly where only compute can be waited for, and no run goes below a floor."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from sim.arch.load import load_arch
from sim.laws.bounds import dram_floor
from sim.laws.expectation import expect
from sim.machine.assembly import SimulationOptions
from sim.machine.execution import run_piece
from sim.machine.machine import Machine
from sim.workload.gemm import FP16, Gemm
from tests.machines import Case, random_case

MACHINES = {"anda": "anda-hpca25", "fp_fp": "fp-fp", "fp_int": "fp-int", "ifpu": "ifpu", "figna": "figna"}
UNLIMITED = [
    "dram.bandwidth_gigabytes_per_second=1.0e+9",
    "dram.transaction_bytes=1048576",
    "dram.outstanding_loads=1000000",
    "buffers.activation.bytes=67108864",
    "buffers.activation.fill_port_bits=67108864",
    "buffers.weight.bytes=67108864",
    "buffers.weight.fill_port_bits=67108864",
    "collector.port_bits=65536",
    "mxu.output_registers=1000000",
    "writer.blocks=1000000",
]
"""Every load and every drain takes a cycle, and nothing runs out of space."""


def unlimited_case(kind: str, seed: int) -> Case:
    """A random machine on which only compute takes time, and a random GeMM.

    A load takes 3 cycles from the release of a block (request, channel, fill), so a block has to compute for 3: 3
    words a group at least, or all of the GeMM is one block, where latency does not matter either. The compressor needs
    1 + M + 1 cycles a run, so that a run has to compute as long.
    """
    rng = random.Random(f"{kind} {seed}")
    rows, columns, count = rng.choice([1, 2, 4, 8, 16]), rng.choice([4, 8, 16]), rng.choice([1, 1, 2, 3])
    group = rng.choice([16, 32, 64])
    run = math.lcm(group, columns * count)
    groups = rng.randint(1, 9)
    mantissa_bits, lanes = rng.randint(1, 16), rng.choice([3, 4, group // 4])
    words, word_bits = (mantissa_bits + 1, group) if kind == "anda" else (-(-group // lanes), 16 * lanes)
    one_block = words < 3 or rng.random() < 0.3
    m, n = rng.randint(1, 5 * rows), rng.randint(1, 3 * run)
    overrides = [
        *UNLIMITED,
        f"mxu.rows={rows}",
        f"mxu.columns={columns}",
        f"mxu.count={count}",
        f"mxu.dot_length={group}",
        f"mxu.pipeline_cycles={rng.randint(0, 20)}",
        f"weight_dispatcher.port_bits={rng.choice([64, 256, 1024, 4096])}",
        f"activation_dispatcher.port_bits={math.lcm(word_bits, 64) * rng.choice([1, 2, 4])}",
        f"controller.launch_cycles={rng.randint(1, 9)}",
        f"dram.latency_nanoseconds={rng.choice([0, 30, 200]) if one_block else 0}",
        f"dram.time_quantum={rng.choice(['null', 8])}",
        f"schedule.token_block={m if one_block else rows * rng.randint(1, 3)}",
        f"schedule.output_block={run * (3 if one_block else rng.randint(1, 2))}",
        f"schedule.k_block={group * rng.randint(1, 3)}",
        f"schedule.order={rng.choice(['tokens_outer', 'outputs_outer'])}",
    ]
    if kind == "anda":
        overrides += [
            "bpc.lanes=4096",
            f"bpc.group_size={group}",
            f"activation_dispatcher.exponent_port_bits={rng.choice([5, 80])}",
            "buffers.activation.exponent_bytes=16777216",
        ]
    else:
        overrides.append(f"mxu.lanes={lanes}")
    encodable = [bits for bits in range(1, 17) if 1 + bits + 1 <= groups * words]
    gemm = Gemm(
        f"{kind}-{seed}",
        "other",
        m,
        groups * group - rng.choice([0, 0, 1, group // 2]),
        n,
        mantissa_bits=mantissa_bits,
        output_mantissa_bits=rng.choice([None, *encodable]),
    )
    return Case(load_arch(MACHINES[kind], overrides), gemm)


@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("kind", MACHINES)
def test_with_nothing_else_to_wait_for_a_run_takes_the_compute_bound(kind: str, block: int) -> None:
    for seed in range(10 * block, 10 * block + 10):
        case = unlimited_case(kind, seed)
        piece = Machine(case.arch).piece(case.gemm)
        assert run_piece(piece).cycles == expect(piece).bounds.lower_cycles, seed


@pytest.mark.parametrize("mantissa_bits", [1, 3, 8, 16])
@pytest.mark.parametrize("output_mantissa_bits", [None, 5])
@pytest.mark.parametrize("grain", ["beat", "tile"])
def test_one_tile_spelled_out(mantissa_bits: int, output_mantissa_bits: int | None, grain: str) -> None:
    groups = 6
    latency = ["clock.frequency_megahertz=1000", "dram.latency_nanoseconds=70"]
    arch = load_arch("anda-hpca25", [*UNLIMITED, *latency, "collector.port_bits=1024"])
    gemm = Gemm("tile", "other", 16, 64 * groups, 16, 1, mantissa_bits, output_mantissa_bits)
    piece = Machine(arch).piece(gemm)
    run = run_piece(piece, SimulationOptions(grain=grain))  # type: ignore[arg-type]
    launch, request, channel, fill, block, drain, write = 4, 1, 1, 1, 4, 4, 1
    compute = (groups - 1) * max(mantissa_bits + 1, 4) + mantissa_bits + 1
    compress = 0 if output_mantissa_bits is None else 1 + output_mantissa_bits + 1
    loaded = launch + request + channel + 70 + fill + block
    assert run.cycles == loaded + compute + arch.mxu.pipeline_cycles + drain + compress + write
    assert expect(piece).bounds.lower_cycles == run.cycles


@pytest.mark.parametrize("seeds", [range(start, start + 20) for start in range(0, 100, 20)], ids=str)
def test_no_run_moves_less_than_the_floor(seeds: range) -> None:
    for seed in seeds:
        case = random_case(seed)
        machine = Machine(case.arch)
        run = machine.run(case.gemm)
        floor = dram_floor(case.arch, machine.piece(case.gemm).plan(), machine.pace(case.gemm))
        moved = sum(run.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
        assert 0 <= floor.communication_bytes <= moved
        assert 0 < floor.compulsory_bytes <= moved
        assert floor.compulsory_bytes == compulsory_bytes(case)


def compulsory_bytes(case: Case) -> int:
    """Both operands and the output once, packed: from the formats' definitions."""
    arch, gemm = case.arch, case.gemm
    group, encoded = arch.mxu.dot_length, arch.mxu.pe == "anda"

    def values(lanes: int, length: int, mantissa_bits: int | None) -> int:
        if not encoded or mantissa_bits is None:
            return 2 * lanes * length
        groups = lanes * -(-length // group)
        return groups * group * (mantissa_bits + 1) // 8 + -(-groups * 5 // 8)

    weights = gemm.weights
    scales = 0 if weights == FP16 else -(-gemm.k // 128) * (16 + 4)  # INT4 in groups of 128
    return (
        values(gemm.m, gemm.k, gemm.mantissa_bits)
        + -(-gemm.n * (gemm.k * weights.bits + scales) // 8)
        + values(gemm.m, gemm.n, gemm.output_mantissa_bits)
    )


def test_the_communication_floor_is_the_published_one() -> None:
    # FP16 throughout and k = n: 2 m n k a / sqrt(S) - 2 S with a = 2 bytes, S all memory on the chip
    arch = load_arch("fp-fp", ["buffers.activation.bytes=1048576", "buffers.weight.bytes=1048576"])
    machine = Machine(arch)
    gemm = Gemm("large", "scores", 8192, 8192, 8192, weights=FP16)
    floor = dram_floor(arch, machine.piece(gemm).plan(), machine.pace(gemm))
    on_chip = 2 * 2**20 + 4 * 16 * 16 * 2  # both buffers, and FP32 sums in two register sets
    exact = Fraction(floor.communication_bytes + 2 * on_chip)
    # x = 2 m n k sqrt(a^3 / S), rounded down
    product = 2 * 8192**3
    assert exact**2 <= Fraction(product**2 * 2**3, on_chip) < (exact + 1) ** 2
    assert floor.compulsory_bytes == 3 * 2 * 8192**2
    assert floor.communication_bytes > floor.compulsory_bytes
