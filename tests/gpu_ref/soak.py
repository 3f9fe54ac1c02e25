"""Every kernel in every tiling that the dispatcher may choose, compiled for every architecture: no registers spill.

    python -m tests.gpu_ref.soak [ARCHITECTURE ...]

The modules of first contact, and those of layers whose columns fill no wide tile. On sm_90a also what the Anda kernel
for few tokens issues for each weight, at every mantissa length. Half an hour on two cores; ends with 1 where a function
needs local memory or a main loop issues too much.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from gpu_ref import dispatch, nvrtc, sass, verify
from gpu_ref.card import Card
from gpu_ref.contact import bundle
from gpu_ref.contact.job import job
from gpu_ref.forecast import code
from gpu_ref.kernels.anda import Anda
from gpu_ref.program import GemmShape, KernelModule

_COLUMNS, _DEPTH = (64, 128, 192, 384, 512), 1024
_SHARED = 101376  # of the smallest card: stages are cut down to it

ANDA_INSTRUCTIONS_A_WEIGHT = 0.25  # at most; 0.14 keeps up with an H100's memory (test_compilation.py)


def modules(architecture: str) -> list[KernelModule]:
    """Everything that is compiled for an architecture, each once."""
    wanted = job(1)
    found = dict.fromkeys(bundle.modules(wanted, architecture) if architecture in bundle.CARDS else ())
    shapes = [
        GemmShape(tokens, columns, _DEPTH) for tokens in wanted.settings.verification.tokens for columns in _COLUMNS
    ]
    for shared in (_SHARED, 232448):
        card = Card("any", architecture, 132, 2**25, 2**36, shared)
        kernels = [kernel for kernel, _ in verify.selection(card, shapes, wanted.settings.verification)]
        kernels += [kernel for shape in shapes for kernel in dispatch.all_kernels(shape, card, (4, 6, 8, 11, 13))]
        found.update(dict.fromkeys(module for kernel in kernels for module in kernel.modules))
    return list(found)


def spills(architecture: str, module: KernelModule) -> list[str]:
    """A line for each function of a module that needs local memory."""
    return [
        f"{architecture}: {module}: {function}: {usage}"
        for function, usage in nvrtc.compile_module(module, architecture).usage.items()
        if usage.stack_bytes or usage.spilled_bytes
    ]


def anda_for_few_tokens() -> list[Anda]:
    """Every mantissa length, with and without zero points, as the dispatcher tiles it for wide and narrow layers."""
    card = Card("any", "sm_90a", 132, 2**25, 2**36, 232448)
    shapes = [GemmShape(16, columns, _DEPTH) for columns in (28672, 1024)]
    lengths = [(bits, zero_points) for zero_points in (False, True) for bits in range(1, 15 if zero_points else 16)]
    return [
        dispatch.anda_warps(shape, card, bits, zero_points=zero_points)
        for bits, zero_points in lengths
        for shape in shapes
    ]


def issued_a_weight(kernel: Anda) -> float:
    """Instructions of a warp's main loop for each weight, on sm_90a."""
    found = code.read(sass.functions(nvrtc.compile_module(kernel.modules[0], "sm_90a").cubin)[kernel.source])
    return found.iteration * kernel.tokens * kernel.passes / found.macs


def too_many_instructions(kernel: Anda) -> list[str]:
    """A line where the main loop issues more than it may."""
    rate = issued_a_weight(kernel)
    return [f"{kernel.modules[0]}: {rate:.3f} instructions a weight"] if rate > ANDA_INSTRUCTIONS_A_WEIGHT else []


def main() -> int:
    found: list[str] = []
    for architecture in sys.argv[1:] or nvrtc.ARCHITECTURES:
        wanted, before = modules(architecture), len(found)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NVRTC works outside Python's lock
            for lines in pool.map(partial(spills, architecture), wanted):
                found += lines
            print(f"{architecture}: {len(wanted)} modules, {len(found) - before} functions spill")
            if architecture == "sm_90a" and sass.disassembler():
                before, wanted_rates = len(found), anda_for_few_tokens()
                for lines in pool.map(too_many_instructions, wanted_rates):
                    found += lines
                print(f"{architecture}: {len(wanted_rates)} main loops of Anda, {len(found) - before} issue too much")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
