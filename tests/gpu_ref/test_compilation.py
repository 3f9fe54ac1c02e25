"""Kernels compiled for every architecture, and what came out: the Tensor Core instruction, nothing in local memory."""

from __future__ import annotations

import re

import pytest

from gpu_ref import nvrtc, sass
from gpu_ref.forecast import code
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaFp16, AndaFp16Wgmma, AndaWgmma
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.bytes_product import Fp8, Fp8Wgmma, Int8
from gpu_ref.kernels.dequantise import Dequantised
from gpu_ref.kernels.llm_int8 import LlmInt8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq, W4a16Wgmma
from gpu_ref.program import GemmShape, KernelModule
from tests.gpu_ref import soak

pytestmark = pytest.mark.skipif(not nvrtc.is_installed(), reason="the package nvidia-cuda-nvrtc is not installed")
needs_sass = pytest.mark.skipif(sass.disassembler() is None, reason="nvdisasm is not installed")

# The largest tiling of each kernel: the one that presses on the registers.
KERNELS: list[Kernel] = [
    W4a16(tokens=64, warps_n=4, warps_k=1, output="float16"),
    W4a16(tokens=64, warps_n=2, warps_k=1, output="float16"),
    W4a16(tokens=64, warps_n=1, warps_k=1, output="float16"),
    W4a16Awq(tokens=64),
    W4a16Wgmma(tokens=256),
    Anda(15, tokens=64, warps_n=8, warps_k=1, stages=2),
    AndaFp16(14, zero_points=True, tokens=64, warps_n=8, warps_k=1, stages=2),
    AndaWgmma(15),
    AndaFp16Wgmma(15),
    Int8(tokens=128, stages=3),
    Fp8(tokens=64, stages=3),
    Fp8Wgmma(tokens=128),
    LlmInt8(tokens=64, stages=3),
    Bipolar(8, 8),
]
PAIRS = [(kernel, arch) for kernel in KERNELS for arch in nvrtc.ARCHITECTURES if kernel.runs_on(arch)]


@pytest.mark.parametrize(
    ("kernel", "architecture"), PAIRS, ids=lambda value: str(getattr(value, "modules", [value])[0])
)
def test_a_kernel_compiles_without_spills_to_the_instruction_it_states(kernel: Kernel, architecture: str) -> None:
    compiled = nvrtc.compile_module(kernel.modules[0], architecture)
    assert compiled.cubin[:4] == b"\x7fELF"
    assert kernel.source in compiled.usage
    for function, usage in compiled.usage.items():
        assert usage.stack_bytes == usage.spilled_bytes == 0, function
    if sass.disassembler() is None:
        pytest.skip("compiled without spills; nvdisasm, which shows the instructions, is not installed")
    found = sass.opcodes(compiled.cubin, kernel.source)
    native = sum(count for opcode, count in found.items() if opcode.startswith(kernel.instruction))
    others = {name for name in found if "MMA" in name and not name.startswith(kernel.instruction)}
    if kernel.is_native(architecture):
        assert native > 0
        assert not others
    else:
        assert native == 0
        assert others, "an emulation still runs on the Tensor Cores"


SMALL: list[Kernel] = [
    *(W4a16(), W4a16(tokens=32, stages=3), Int8(), Bipolar(1, 1), LlmInt8()),
    *(Anda(1), Anda(8, warps_k=8, stages=4), AndaFp16(7), AndaFp16(15)),
]


@pytest.mark.parametrize("kernel", SMALL, ids=lambda kernel: str(kernel.modules[0]))
def test_the_tilings_for_few_tokens_do_not_spill_either(kernel: Kernel) -> None:
    for architecture in ("sm_80", "sm_90a"):
        usage = nvrtc.compile_module(kernel.modules[0], architecture).usage
        assert all(one.stack_bytes == one.spilled_bytes == 0 for one in usage.values())


@pytest.mark.parametrize("module", [KernelModule("finish", (("OUTPUT_F16", 1),)), Dequantised().modules[0]], ids=str)
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_without_products_compile_everywhere(module: KernelModule, architecture: str) -> None:
    assert nvrtc.compile_module(module, architecture).usage


@needs_sass
def test_one_group_of_anda_takes_two_products_of_32_up_to_seven_bits_and_four_above() -> None:
    # A warp's 16 x 32 outputs: 4 products side by side, 2 halves of a group, 2 groups a step, 1 or 2 bytes a mantissa.
    for mantissa_bits, passes in ((7, 1), (8, 2)):
        kernel = Anda(mantissa_bits)
        assert kernel.passes == passes
        found = sass.opcodes(nvrtc.compile_module(kernel.modules[0], "sm_80").cubin, "anda")
        assert sum(count for name, count in found.items() if name.startswith("IMMA")) == 4 * 2 * 2 * passes


@needs_sass
@pytest.mark.parametrize("tokens", [16, 32])
def test_the_main_loop_of_w4a16_for_few_tokens_keeps_up_with_memory(tokens: int) -> None:
    # An H100 reads 3.35e12 B/s (datasheet) / 132 multiprocessors / 1.755e9 Hz = 14.5 bytes or 28 weights a cycle, in
    # which a multiprocessor issues 4 instructions: 0.14 a weight.
    kernel = W4a16(tokens=tokens, output="float16")
    found = code.read(sass.functions(nvrtc.compile_module(kernel.modules[0], "sm_90a").cubin)[kernel.source])
    assert found.iteration / (found.macs / tokens) <= 0.1


@needs_sass
@pytest.mark.parametrize("zero_points", [False, True])
def test_the_main_loop_of_anda_for_few_tokens_takes_a_quarter_instruction_a_weight(zero_points: bool) -> None:
    # The longest mantissa of one product and of two; all other lengths in the soak.
    every = [kernel for kernel in soak.anda_for_few_tokens() if kernel.zero_points == zero_points]
    assert {kernel.warps_k for kernel in every} == {4, 8}
    ends = {7, max(kernel.mantissa_bits for kernel in every)}
    rates = {kernel.label: soak.issued_a_weight(kernel) for kernel in every if kernel.mantissa_bits in ends}
    assert max(rates.values()) <= soak.ANDA_INSTRUCTIONS_A_WEIGHT, rates
    assert min(rates.values()) < max(rates.values())


@needs_sass
def test_warpgroups_dequantise_the_next_step_while_their_products_run() -> None:
    kernel = W4a16Wgmma(tokens=64)
    text = sass.functions(nvrtc.compile_module(kernel.modules[0], "sm_90a").cubin)[kernel.source]
    order = re.findall(r"\s(HGMMA|WARPGROUP\.DEPBAR|HMUL2|HFMA2|HADD2)\b", text)
    # A thread's 32 weights a step: 16 pairs, for each a subtraction or fused multiplication, then a multiplication.
    waits = [index for index, opcode in enumerate(order) if opcode == "WARPGROUP.DEPBAR"]
    assert len(waits) == 2  # the main loop is written out twice
    for wait in waits:
        issued = max(index for index in range(wait) if order[index] == "HGMMA")
        assert wait - issued - 1 == 32


def test_the_longest_mantissas_with_zero_points_do_not_spill_on_hopper() -> None:
    for kernel in (Anda(13, True, 64, 8, 1, 2, "float16"), Anda(14, True, 64, 8, 1, 2, "float16")):
        usage = nvrtc.compile_module(kernel.modules[0], "sm_90a").usage
        assert all(one.stack_bytes == one.spilled_bytes == 0 for one in usage.values())


def test_the_soak_compiles_narrow_tilings_of_many_tokens_too() -> None:
    wanted = soak.modules("sm_90a")
    for warps in (1, 2, 4):
        kernel = W4a16(tokens=64, warps_n=warps, warps_k=1, output="float16")
        assert any(
            module.source == "w4a16" and kernel.modules[0].defines[:3] == module.defines[:3] for module in wanted
        )
    assert len(wanted) == len(set(wanted)) > len(KERNELS)


def test_the_soak_tells_which_function_spills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_ref.nvrtc.compile_module", lambda *_: nvrtc.Compiled(b"", {"f": nvrtc.Usage(255, 8, 8)}))
    assert soak.spills("sm_80", KERNELS[0].modules[0]) == [
        f"sm_80: {KERNELS[0].modules[0]}: f: Usage(registers=255, spilled_bytes=8, stack_bytes=8)"
    ]


def test_a_source_that_does_not_compile_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_ref.sources.text", lambda name: "this is no kernel")
    with pytest.raises(RuntimeError, match=r"NVRTC refused it\n.*error"):
        nvrtc.compile_module(KernelModule("w4a16"), "sm_80")


def test_shared_memory_of_the_largest_tilings_fits_their_cards() -> None:
    # CUDA C++ Programming Guide, compute capabilities: KiB of shared memory that a block may have.
    limit = {"sm_80": 163, "sm_86": 99, "sm_89": 99, "sm_90": 227, "sm_90a": 227, "sm_100": 227, "sm_120": 99}
    shape = GemmShape(256, 4096, 4096)
    for kernel, architecture in PAIRS:
        for launch in kernel.launches(shape):
            assert getattr(launch, "shared_bytes", 0) <= limit[architecture] * 1024, (kernel, architecture)
