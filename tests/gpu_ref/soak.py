"""Every kernel in every tiling that the dispatcher may choose, compiled for every architecture: no registers spill.

    python -m tests.gpu_ref.soak [ARCHITECTURE ...]

The modules of first contact, and those of layers whose columns fill no wide tile. Half an hour on two cores; ends
with 1 where a function needs local memory.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from gpu_ref import dispatch, nvrtc, verify
from gpu_ref.card import Card
from gpu_ref.contact import bundle
from gpu_ref.contact.job import job
from gpu_ref.program import GemmShape, KernelModule

_COLUMNS, _DEPTH = (64, 128, 192, 384, 512), 1024
_SHARED = 101376  # of the smallest card: stages are cut down to it


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


def main() -> int:
    found: list[str] = []
    for architecture in sys.argv[1:] or nvrtc.ARCHITECTURES:
        wanted, before = modules(architecture), len(found)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NVRTC works outside Python's lock
            for lines in pool.map(partial(spills, architecture), wanted):
                found += lines
        print(f"{architecture}: {len(wanted)} modules, {len(found) - before} functions spill")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
