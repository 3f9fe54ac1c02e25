"""Mistakes that kernels are prone to, planted one at a time: each must be found by the check that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gpu_ref import sources
from gpu_ref.host.executor import HostError, HostExecutor
from gpu_ref.kernel import Kernel, KernelCase
from gpu_ref.kernels.anda import Anda, AndaFp16, AndaFp16Wgmma
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.llm_int8 import LlmInt8
from gpu_ref.kernels.w4a16 import W4a16, W4a16Awq, W4a16Wgmma
from gpu_ref.program import GemmShape


@dataclass(frozen=True)
class Fault:
    """`was` becomes `now` in a kernel's text; `found` is in the report, or None where values or orders tell."""

    name: str
    kernel: Kernel
    shape: GemmShape
    was: str
    now: str
    found: str | None = None


W4 = (W4a16(), GemmShape(5, 64, 1280))
ANDA = (Anda(11), GemmShape(5, 64, 640))
WGMMA = (W4a16Wgmma(tokens=16), GemmShape(5, 128, 640))
FAULTS = [
    Fault(
        "no barrier before a stage is read", *W4, "__syncthreads();  // the step has landed", "// the step has landed"
    ),
    Fault("a copy is not waited for", *W4, "wait_copies<kStages - 2>();", "wait_copies<kStages - 1>();"),
    Fault("a stage is refilled one step early", *W4, "copies.next(refilled)", "copies.next(stage)"),
    Fault("rows after the last token are read", *W4, "pass * kRowsAPass < rows_left &&", "", "outside every buffer"),
    Fault("rows after the last token are written", *W4, "if (token >= m.tokens) break;", "", None),
    Fault("one split is left out", W4a16(splits=2), GemmShape(5, 64, 1280), "split < splits", "split < splits - 1"),
    Fault(
        "nibbles of two columns exchanged",
        *W4,
        "codes[j / 2][k16] >> 8 * (j % 2)",
        "codes[j / 2][k16] >> 8 * (1 - j % 2)",
    ),
    Fault("zero point of the neighbour", *W4, "zeros >> 4 * j & 15", "zeros >> 4 * (j ^ 1) & 15"),
    Fault(
        "scales of the group before", *W4, "is_scale ? m.scales + (own", "is_scale ? m.scales + ((own ? own - 1 : 0)"
    ),
    Fault(
        "a barrier in a branch",
        *W4,
        "store_sums(sums, arena, c",
        "if (threadIdx.x < 96) __syncthreads();\n  store_sums(sums, arena, c",
        "deadlock",
    ),
    Fault(
        "half a warp at a shuffle",
        AndaFp16(5),
        GemmShape(5, 64, 256),
        "exponent = max(exponent, shuffle_xor(exponent, 2));",
        "if (threadIdx.x % 32 < 16) exponent = max(exponent, shuffle_xor(exponent, 2));",
        "deadlock",
    ),
    Fault(
        "weights not written back in time",
        W4a16Awq(),
        GemmShape(5, 128, 256),
        "wait_copies<0>();\n    __syncthreads();",
        "wait_copies<0>();",
    ),
    Fault("no carry from the low byte", *ANDA, "(flipped & ~low) >> 7 & 0x01010101", "0"),
    Fault(
        "a plane under another's bit",
        *ANDA,
        "row_of_high = kParts == 1 ? row : row - 8",
        "row_of_high = kParts == 1 ? row : row - 7",
    ),
    Fault("low byte taken as signed", *ANDA, "multiply_u8s8(low", "multiply_s8(low"),
    Fault(
        "terms read before all are written",
        *ANDA,
        "if (kWarpsK == 1) continue;\n    __syncthreads();",
        "if (kWarpsK == 1) continue;",
    ),
    Fault(
        "terms added from the last warp on",
        *ANDA,
        "arena.terms() + (own * kTokens",
        "arena.terms() + ((min(kGroups, w.groups - group) - 1 - own) * kTokens",
    ),
    Fault(
        "a sum that passes through FP16",
        *ANDA,
        "__fmul_rn(sum, scale)",
        "__fmul_rn(half_to_float(float_to_half(sum)), scale)",
    ),
    Fault(
        "sums counted from another zero",
        *ANDA,
        "-257 * kZero",
        "-256 * kZero",
    ),
    Fault("subnormals given exponent 0", AndaFp16(5), GemmShape(5, 64, 256), "max(field, 1u)", "field"),
    Fault(
        "rounded where the format truncates",
        AndaFp16(5),
        GemmShape(5, 64, 256),
        "<< 5;",
        "<< 5;\n      justified += 1 << 10;",
    ),
    Fault("wgmma before its fence", *WGMMA, "    warpgroup_fence();\n", "", "not fenced"),
    Fault("copies not shown to wgmma", *WGMMA, "    async_proxy_fence();\n", "", "async_proxy_fence"),
    Fault("sums read before wgmma has ended", *WGMMA, "warpgroup_wait<0>();", "", None),
    Fault(
        "operand described from the wrong byte",
        *WGMMA,
        "shared_address(tile) + 32 * step",
        "shared_address(tile) + 16 * step",
    ),
    Fault(
        "tile refilled under a running wgmma",
        AndaFp16Wgmma(9, tokens=16),
        GemmShape(5, 128, 640),
        "      warpgroup_commit();\n      warpgroup_wait<0>();\n",
        "      warpgroup_commit();\n      warpgroup_wait<1>();\n",
    ),
    Fault(
        "a base offset in the descriptor",
        *WGMMA,
        "| swizzle_128 << 62",
        "| swizzle_128 << 62 | 1ull << 49",
        "descriptor",
    ),
    Fault(
        "a reserved bit in the descriptor",
        *WGMMA,
        "| swizzle_128 << 62",
        "| swizzle_128 << 62 | 1ull << 46",
        "descriptor",
    ),
    Fault("no leading dimension in it", *WGMMA, "(u64)1 << 16", "(u64)0 << 16", "descriptor"),
    Fault(
        "weights changed under a running wgmma",
        *WGMMA,
        "if (index + 1 < count) arrive(index + 1, next);",
        "if (index + 1 < count) arrive(index + 1, own);",
        "operand a of thread",
    ),
    Fault(
        "sums touched under a running wgmma",
        *WGMMA,
        "    warpgroup_wait<0>();\n  };",
        "    sums[0] = 0;\n    warpgroup_wait<0>();\n  };",
        "sums of thread",
    ),
    Fault("planes weighted by one side only", Bipolar(3, 2), GemmShape(5, 32, 256), "sums[i + j]", "sums[i]"),
    Fault(
        "no correction by the codes' sums",
        Bipolar(3, 2),
        GemmShape(5, 32, 256),
        "- 2 * kMostB * m.code_sums_a[token]",
        "",
    ),
    Fault("outliers quantised, too", LlmInt8(), GemmShape(5, 128, 256), "outlier[k] ? 0 :", ""),
]


def planted(fault: Fault) -> Callable[[str], str]:
    """Sources with the fault in them."""

    def text(name: str) -> str:
        return sources.text(name).replace(fault.was, fault.now)

    return text


def verdicts(kernel: Kernel, shape: GemmShape, cases: list[KernelCase], executor: HostExecutor) -> list[str]:
    """What is wrong: values, orders, or what the host reports; empty where nothing is."""
    found: list[str] = []
    for case in cases:
        results = []
        for order in (0, 1, 2):
            try:
                results.append(executor.run(kernel.program(shape, case.buffers), order)["c"])
            except HostError as error:
                found.append(str(error))
        if any(not case.error(result) <= case.limit for result in results):
            found.append("values")
        if any(not np.array_equal(results[0].view(np.uint8), other.view(np.uint8)) for other in results[1:]):
            found.append("orders")
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault, compiled: Path) -> None:
    cases = list(fault.kernel.cases(np.random.default_rng(7), fault.shape))
    assert any(fault.was in sources.text(name) for name in (fault.kernel.source, "finish"))
    assert verdicts(fault.kernel, fault.shape, cases, HostExecutor(compiled)) == []
    found = verdicts(fault.kernel, fault.shape, cases, HostExecutor(compiled, planted(fault)))
    assert any(fault.found in text for text in found) if fault.found else found
