"""Accesses to shared memory, counted: weights written back (QUICK, Kim et al. 2024), and bank conflicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpu_ref import sources
from gpu_ref.host.executor import HostExecutor, SharedMemoryAccesses
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaFp16, AndaWgmma
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.bytes_product import Int8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq, W4a16Wgmma
from gpu_ref.program import GemmShape

SHAPE = GemmShape(16, 128, 512)


def traffic(kernel: Kernel, executor: HostExecutor, shape: GemmShape = SHAPE) -> SharedMemoryAccesses:
    case = next(iter(kernel.cases(np.random.default_rng(1), shape)))
    executor.run(kernel.program(shape, case.buffers))
    return executor.traffic(kernel.modules[0])


@pytest.mark.parametrize("kernel", [W4a16(), W4a16Wgmma(tokens=16)], ids=lambda kernel: kernel.source)
def test_fragment_order_writes_no_weight_back(kernel: Kernel, host: HostExecutor) -> None:
    assert traffic(kernel, host).store_shared16.phases == 0


def test_the_awq_way_writes_every_weight_back_once(host: HostExecutor) -> None:
    # 16 bits a weight, 8 lanes of 16 bytes a phase: 1,024 phases for 128 x 512 weights.
    stores = traffic(W4a16Awq(), host).store_shared16
    assert stores.phases == SHAPE.columns * SHAPE.depth * 2 // (8 * 16) == 1024


def test_a_padded_row_is_what_keeps_the_awq_way_free_of_conflicts(compiled: Path, host: HostExecutor) -> None:
    # Rows of 128 + 8 halves start 16 bytes apart in the 128 bytes of all banks; rows of 128 start at the same bank, so
    # the eight rows of a transposed matrix meet in one.
    loads = traffic(W4a16Awq(), host).load_matrices
    plain = HostExecutor(compiled, lambda name: sources.text(name).replace("kColumns + 8", "kColumns"))
    unpadded = traffic(W4a16Awq(), plain).load_matrices
    weight_phases = SHAPE.columns * SHAPE.depth * 2 // 128
    assert loads.cycles == loads.phases == unpadded.phases
    assert unpadded.cycles == unpadded.phases + 7 * weight_phases


@pytest.mark.parametrize(
    "kernel",
    [
        W4a16(),
        W4a16(tokens=32),
        W4a16(tokens=64, warps_n=2, warps_k=1),
        W4a16Wgmma(tokens=16),
        W4a16Awq(),
        Int8(),
        Anda(7),
        Anda(8),
        AndaWgmma(8),
        Bipolar(2, 2),
    ],
    ids=lambda kernel: str(kernel.modules[0]),
)
def test_no_access_of_a_kernel_to_shared_memory_meets_another_in_a_bank(kernel: Kernel, host: HostExecutor) -> None:
    counts = vars(traffic(kernel, host))
    assert {kind: one.cycles for kind, one in counts.items()} == {kind: one.phases for kind, one in counts.items()}
    assert sum(one.phases for one in counts.values()) > 0


def test_codes_read_eight_bytes_a_lane_would_meet_in_pairs_if_no_lane_exchanged_its_halves(compiled: Path) -> None:
    # Four row tiles leave registers for half of a lane's 16 bytes: 16 lanes 16 bytes apart would use every other bank.
    exchange = "((half ^ lane / 8 % 2) * 8)"
    assert exchange in sources.text("w4a16")
    plain = HostExecutor(compiled, lambda name: sources.text(name).replace(exchange, "half * 8"))
    loads = traffic(W4a16(tokens=64, warps_n=2, warps_k=1), plain).load_shared8
    assert loads.phases == SHAPE.columns * SHAPE.depth // 2 // 128
    assert loads.cycles == 2 * loads.phases


def test_words_a_kernel_would_read_16_bytes_apart_conflict_fourfold(compiled: Path) -> None:
    # What w4a16_wgmma did when a lane's words lay step by step: 32 lanes, 16 bytes apart, meet in 8 banks.
    was = "load_shared16(codes, part + (warp * 32 + lane) * 16);"
    now = "for (int i = 0; i < 4; ++i) codes[i] = load_shared((const u32*)(part + (i * 32 + lane) * 16) + warp);"
    assert was in sources.text("w4a16_wgmma")
    plain = HostExecutor(compiled, lambda name: sources.text(name).replace(was, now))
    loads = traffic(W4a16Wgmma(tokens=16), plain).load_shared4
    words = SHAPE.columns * SHAPE.depth // 8 // 32
    assert loads.cycles == loads.phases + 3 * words


def test_encoding_in_the_kernel_reads_its_fp16_values_in_two_way_conflicts(host: HostExecutor) -> None:
    # A thread reads half of chunks 4 h .. 4 h + 3 of its token's row. Of the tokens r and r + 4 in a phase of 16 lanes
    # the two chunks fall on the same two of eight groups of banks: the price of writing the bytes without conflicts.
    counts = traffic(AndaFp16(8), host)
    groups, tiles = SHAPE.depth // 64, SHAPE.columns // 32
    assert counts.load_shared8.phases == tiles * groups * SHAPE.tokens * 64 * 2 // 128
    assert counts.load_shared8.cycles == 2 * counts.load_shared8.phases
    assert counts.store_shared16.cycles == counts.store_shared16.phases


def test_tiles_without_the_exchange_of_chunks_would_conflict_eightfold(compiled: Path) -> None:
    text = "((chunk ^ (row & 7)) << 4)"
    assert text in sources.text("int8")
    plain = HostExecutor(compiled, lambda name: sources.text(name).replace(text, "(chunk << 4)"))
    loads = traffic(Int8(), plain).load_matrices
    assert loads.cycles == 8 * loads.phases
