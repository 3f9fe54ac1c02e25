"""Kernels on a device against their golden models, with fresh random inputs and poisoned outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, astuple
from itertools import product

from gpu_ref import dispatch
from gpu_ref.card import Card, Device
from gpu_ref.goldens import Goldens, cases, name
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.program import GemmShape
from gpu_ref.record import GoldenCheck
from gpu_ref.settings import Verification

_CHECKED = GemmShape(300, 512, 1024)


def shapes(wanted: Verification) -> list[GemmShape]:
    """All tokens on all layers."""
    return [GemmShape(tokens, *layer) for tokens in wanted.tokens for layer in wanted.layers]


def small_shapes(wanted: Verification) -> list[GemmShape]:
    """What is tried before anything else, and under the sanitizers."""
    return [GemmShape(tokens, *wanted.small_layer) for tokens in wanted.small_tokens]


def selection(card: Card, shapes: list[GemmShape], wanted: Verification) -> Iterator[tuple[Kernel, GemmShape]]:
    """Every kernel as it is dispatched for every shape; Anda at all lengths, with zero points to 14; all bipolar bits.

    The lengths and bits rotate over the shapes, so that each of them meets each tile height.
    """
    for index, shape in enumerate(shapes):
        for kernel in (*dispatch.all_kernels(shape, card, ()), *_numbers(shape, card, index, wanted)):
            yield kernel, shape


def _numbers(shape: GemmShape, card: Card, index: int, wanted: Verification) -> Iterator[Kernel]:
    for bits in wanted.mantissa_bits[index % 3 :: 3]:
        for zero_points in (False, True):
            if zero_points and bits > 14:
                continue
            for from_fp16 in (False, True):
                kernels: list[Anda] = [
                    dispatch.anda_warps(shape, card, bits, from_fp16=from_fp16, zero_points=zero_points),
                    dispatch.anda_wgmma(shape, bits, from_fp16=from_fp16, zero_points=zero_points),
                ]
                yield from (kernel for kernel in kernels if kernel.runs_on(card.architecture))
    sides = range(1, wanted.bipolar_bits + 1)
    for a, b in list(product(sides, sides))[index % 8 :: 8]:
        if dispatch.takes(Bipolar(a, b), shape):
            yield Bipolar(a, b)


def checked_shape(kernel: Kernel, shape: GemmShape) -> GemmShape:
    """What stands for a large shape, as golden models run on the CPU."""
    small = GemmShape(*map(min, zip(astuple(shape), astuple(_CHECKED), strict=True)))
    return small if dispatch.takes(kernel, small) else shape


def check(device: Device, kernel: Kernel, shape: GemmShape, seed: int, goldens: Goldens) -> Iterator[GoldenCheck]:
    """All cases of one kernel on one shape."""
    for case in cases(seed, kernel, shape):
        prepared = device.prepare(kernel.program(shape, case.buffers))
        try:
            result = prepared.run()["c"]
        finally:
            prepared.release()
        carried = goldens.hold(name(kernel, shape), case, result)
        error = 0.0 if carried else case.error(result)
        yield GoldenCheck(
            kernel=kernel.label,
            configuration=kernel.configuration,
            **asdict(shape),
            case=case.label,
            golden="carried" if carried else "computed",
            error=error if math.isfinite(error) else None,
            limit=case.limit,
            passed=error <= case.limit,
        )
