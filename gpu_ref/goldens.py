"""Golden results that were made beforehand, as digests, so that a card's machine need not compute them.

    {"anda MANTISSA_BITS=7 ..., 5 x 256 x 128": {"contract": [digest of the inputs, digest of the result]}}

Of cases that are judged by equality: the others have a float64 product as their golden model, which takes no time worth
saving. Inputs are made anew from the seed. Where they or the card's result differ in a bit, the golden model is asked.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gpu_ref.kernel import Kernel, KernelCase
from gpu_ref.program import Array, GemmShape

Digests = Mapping[str, Mapping[str, tuple[str, str]]]
BUNDLED = Path(__file__).parent.parent / "goldens.json"
"""Where a bundle keeps what was computed for it."""


@dataclass(frozen=True)
class Goldens:
    """Digests by the name of what is checked, and by the label of the case."""

    digests: Digests = field(default_factory=dict)

    @classmethod
    def of_this_machine(cls) -> Goldens:
        """The bundle's; none outside of one."""
        return cls(json.loads(BUNDLED.read_text(encoding="utf-8"))) if BUNDLED.is_file() else cls()

    def hold(self, checked: str, case: KernelCase, result: Array) -> bool:
        """Whether a result is, bit by bit, the golden one that was made for these inputs."""
        known = self.digests.get(checked, {}).get(case.label)
        return known is not None and tuple(known) == (_of_inputs(case), digest(result))


def name(kernel: Kernel, shape: GemmShape) -> str:
    """By which what is checked is known."""
    return f"{kernel.configuration}, {shape}"


def cases(seed: int, kernel: Kernel, shape: GemmShape) -> Iterator[KernelCase]:
    """The cases of a kernel on a shape: the same whenever and wherever they are made under a seed."""
    rng = np.random.default_rng([seed, zlib.crc32(name(kernel, shape).encode())])
    return kernel.cases(rng, shape)


def made(seed: int, wanted: Iterable[tuple[Kernel, GemmShape]]) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """Golden results of everything wanted, one by one; kernels without a case of equality have none."""
    for kernel, shape in wanted:
        exact = [case for case in cases(seed, kernel, shape) if case.magnitude is None]
        yield name(kernel, shape), {case.label: (_of_inputs(case), digest(case.expected)) for case in exact}


def digest(*arrays: Array) -> str:
    """32 hexadecimal digits of arrays: types, shapes and all bits."""
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _of_inputs(case: KernelCase) -> str:
    return digest(*(case.buffers[key] for key in sorted(case.buffers)))
