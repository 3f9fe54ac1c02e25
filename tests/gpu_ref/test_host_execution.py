"""Kernel sources executed on the CPU against their golden models, threads ascending, descending and shuffled."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_ref.host.executor import HostExecutor
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaFp16, AndaFp16Wgmma, AndaWgmma
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.bytes_product import Fp8, Fp8Wgmma, Int8
from gpu_ref.kernels.dequantise import Dequantised
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.llm_int8 import LlmInt8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq, W4a16Wgmma
from gpu_ref.program import GemmShape

# Ragged tokens, several groups of K, more stages than steps and fewer, K split over blocks and over warps.
CASES: list[tuple[Kernel, GemmShape]] = [
    (Fp16(), GemmShape(5, 48, 160)),
    (Dequantised(), GemmShape(5, 128, 256)),
    (W4a16(), GemmShape(5, 128, 640)),
    (W4a16(splits=3), GemmShape(17, 64, 1920)),
    (W4a16(tokens=32, warps_n=2, warps_k=2, stages=3, splits=2, output="float16"), GemmShape(33, 128, 768)),
    (W4a16(tokens=64, warps_n=4, warps_k=1), GemmShape(70, 256, 128)),
    (W4a16(tokens=64, warps_n=1, warps_k=1, output="float16"), GemmShape(70, 64, 640)),
    (W4a16Awq(splits=2), GemmShape(21, 128, 384)),
    (W4a16Awq(tokens=32, output="float16"), GemmShape(40, 128, 256)),
    (W4a16Wgmma(tokens=16, splits=2), GemmShape(3, 128, 640)),
    (W4a16Wgmma(tokens=64, stages=3, output="float16"), GemmShape(70, 256, 256)),
    (W4a16Wgmma(tokens=256), GemmShape(200, 128, 128)),
    (Int8(splits=2), GemmShape(5, 136, 528)),
    (Int8(tokens=64, stages=3), GemmShape(70, 128, 256)),
    (Fp8(splits=2), GemmShape(17, 130, 400)),
    (Fp8Wgmma(tokens=32, splits=2), GemmShape(33, 130, 400)),
    (LlmInt8(splits=2), GemmShape(5, 130, 400)),
    (LlmInt8(tokens=64, stages=3, output="float16"), GemmShape(66, 128, 256)),
    *((Bipolar(a, b, splits), GemmShape(18, 40, 2176)) for a, b, splits in ((1, 1, 1), (2, 3, 2), (8, 8, 1))),
    *((Bipolar(bits, 9 - bits), GemmShape(3, 32, 128)) for bits in (3, 4)),
]


@pytest.mark.parametrize(("kernel", "shape"), CASES, ids=lambda value: str(value).split("(")[0])
def test_a_kernel_agrees_with_its_golden_model_in_every_order(
    kernel: Kernel, shape: GemmShape, host: HostExecutor
) -> None:
    for case in kernel.cases(np.random.default_rng(shape.depth), shape):
        program = kernel.program(shape, case.buffers)
        first, *others = (host.run(program, order)["c"] for order in (0, 1, 2))
        assert case.error(first) <= case.limit, case.label
        for other in others:  # bit for bit, NaN included: a result that depends on the order is a race
            assert np.array_equal(first.view(np.uint8), other.view(np.uint8)), case.label


# All lengths by warps; by warpgroups, which share all but the product itself, both kinds of length and their ends.
LENGTHS = [
    *((family, bits) for family in (Anda, AndaFp16) for bits in range(1, 16)),
    *((family, bits) for family in (AndaWgmma, AndaFp16Wgmma) for bits in (1, 4, 7, 8, 14, 15)),
]


@pytest.mark.parametrize(("family", "mantissa_bits"), LENGTHS)
def test_anda_equals_the_contract_at_every_mantissa_length(
    family: type[Anda], mantissa_bits: int, host: HostExecutor
) -> None:
    # Alternating, so that every length is compiled once a family: symmetric and FP32, zero points and FP16.
    even = mantissa_bits % 2 == 0
    is_wgmma = issubclass(family, AndaWgmma)
    kernel = family(
        mantissa_bits,
        zero_points=even,
        tokens=32 if is_wgmma else 16,
        warps_k=1 if is_wgmma else 4,
        output="float16" if even else "float32",
    )
    shape = GemmShape(19 if not is_wgmma else 35, 128, 640)  # 10 groups: the last step of four warps is half empty
    [case] = kernel.cases(np.random.default_rng(mantissa_bits), shape)
    for order in (0, 1, 2):
        assert case.error(host.run(kernel.program(shape, case.buffers), order)["c"]) == 0


@pytest.mark.parametrize("family", [Anda, AndaFp16])
def test_anda_with_one_warp_along_k_equals_the_contract(family: type[Anda], host: HostExecutor) -> None:
    kernel, shape = family(9, tokens=32, warps_n=2, warps_k=1), GemmShape(33, 128, 384)
    [case] = kernel.cases(np.random.default_rng(1), shape)
    for order in (0, 1, 2):
        assert case.error(host.run(kernel.program(shape, case.buffers), order)["c"]) == 0


@pytest.mark.parametrize("family", [AndaFp16, AndaFp16Wgmma])
@pytest.mark.parametrize("poison", [np.inf, -np.inf, np.nan])
def test_a_group_with_inf_or_nan_makes_its_token_nan_and_no_other(
    family: type[Anda], poison: float, host: HostExecutor
) -> None:
    kernel, shape = family(7), GemmShape(3, 128, 256)
    [case] = kernel.cases(np.random.default_rng(2), shape)
    values = case.buffers["values"].copy()
    values[1, 130] = poison
    result = host.run(kernel.program(shape, {**case.buffers, "values": values}))["c"]
    assert np.isnan(result[1]).all()
    assert np.array_equal(result[[0, 2]], case.expected[[0, 2]])


def test_an_output_in_fp16_is_the_fp32_sum_rounded_once(host: HostExecutor) -> None:
    shape = GemmShape(5, 128, 256)
    case = list(W4a16().cases(np.random.default_rng(3), shape))[1]
    wide, narrow = (
        host.run(W4a16(output=output).program(shape, case.buffers))["c"] for output in ("float32", "float16")
    )
    assert np.array_equal(wide.astype(np.float16), narrow)
