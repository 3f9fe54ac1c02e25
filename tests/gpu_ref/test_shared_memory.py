"""16-byte accesses to shared memory, counted: weights written back (QUICK, Kim et al. 2024), and bank conflicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpu_ref import sources
from gpu_ref.host.executor import HostExecutor, Traffic
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaFp16, AndaWgmma
from gpu_ref.kernels.bytes_product import Int8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq, W4a16Wgmma
from gpu_ref.program import Shape

SHAPE = Shape(16, 128, 512)


def traffic(kernel: Kernel, executor: HostExecutor, shape: Shape = SHAPE) -> Traffic:
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
    [W4a16(), W4a16(tokens=64, warps_n=2, warps_k=1), Int8(), Anda(7), Anda(8), AndaWgmma(8)],
    ids=lambda kernel: str(kernel.modules[0]),
)
def test_no_16_byte_access_of_a_kernel_meets_another_in_a_bank(kernel: Kernel, host: HostExecutor) -> None:
    counts = traffic(kernel, host)
    for one in (counts.load_matrices, counts.load_shared16, counts.store_shared16):
        assert one.cycles == one.phases
    assert counts.load_matrices.phases + counts.load_shared16.phases > 0


def test_encoding_in_the_kernel_reads_its_fp16_values_in_two_way_conflicts(host: HostExecutor) -> None:
    # A thread reads chunks 2 q and 2 q + 1 of its token's row. With tokens r and r + 4 in a phase, chunks 2 q ^ r fall
    # on four of the eight bank groups: the price of writing the bytes, as many accesses again, without conflicts.
    # The weights' 16 bytes a lane (2 a group and warp) stay free.
    kernel = AndaFp16(8)
    counts = traffic(kernel, host)
    groups, tiles = SHAPE.depth // 64, SHAPE.columns // 32
    values, weights = tiles * groups * SHAPE.tokens * 64 * 2 // 128, tiles * groups * 2 * 32 // 8
    assert counts.load_shared16.phases == values + weights
    assert counts.load_shared16.cycles == 2 * values + weights
    assert counts.store_shared16.cycles == counts.store_shared16.phases


def test_tiles_without_the_exchange_of_chunks_would_conflict_eightfold(compiled: Path) -> None:
    text = "((chunk ^ (row & 7)) << 4)"
    assert text in sources.text("int8")
    plain = HostExecutor(compiled, lambda name: sources.text(name).replace(text, "(chunk << 4)"))
    loads = traffic(Int8(), plain).load_matrices
    assert loads.cycles == 8 * loads.phases
