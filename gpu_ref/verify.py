"""Kernels on a device against their golden models, with fresh random inputs and poisoned outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gpu_ref import dispatch
from gpu_ref.card import Card, Device
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.program import Shape
from gpu_ref.record import Check

# Ragged tokens for every tile height; depths of an odd number of groups of 128 and of one too short to fill a pipeline.
SHAPES = tuple(
    Shape(tokens, columns, depth)
    for tokens in (1, 7, 16, 17, 33, 64, 100, 257)
    for columns, depth in ((256, 128), (512, 1408), (1024, 4096))
)

SMALL_SHAPES = tuple(Shape(tokens, 256, 384) for tokens in (1, 17, 33))


def verify(device: Device, seed: int, shapes: tuple[Shape, ...] = SHAPES) -> Iterator[Check]:
    """Every kernel as it is dispatched for every shape; Anda at M = 1..15, with zero points to 14; bipolar in all bits.

    The lengths and bits rotate over the shapes, so that each of them meets each tile height.
    """
    rng = np.random.default_rng(seed)
    for kernel, shape in selection(device.card, shapes):
        yield from check(device, kernel, shape, rng)


def selection(card: Card, shapes: tuple[Shape, ...] = SHAPES) -> Iterator[tuple[Kernel, Shape]]:
    """What is verified on a card."""
    for index, shape in enumerate(shapes):
        for kernel in (*dispatch.all_kernels(shape, card, ()), *_numbers(shape, card, index)):
            yield kernel, shape


def _numbers(shape: Shape, card: Card, index: int) -> Iterator[Kernel]:
    every_third = index % 3
    for bits in range(1 + every_third, 16, 3):
        for zero_points in (False, True):
            if zero_points and bits > 14:
                continue
            for from_fp16 in (False, True):
                kernels: list[Anda] = [
                    dispatch.anda_warps(shape, card, bits, from_fp16=from_fp16, zero_points=zero_points),
                    dispatch.anda_wgmma(shape, bits, from_fp16=from_fp16, zero_points=zero_points),
                ]
                yield from (kernel for kernel in kernels if kernel.runs_on(card.architecture))
    for pair in range(index % 8, 64, 8):
        kernel = Bipolar(1 + pair // 8, 1 + pair % 8)
        if dispatch.takes(kernel, shape):
            yield kernel


def check(device: Device, kernel: Kernel, shape: Shape, rng: np.random.Generator) -> Iterator[Check]:
    """All cases of one kernel on one shape."""
    for case in kernel.cases(rng, shape):
        prepared = device.prepare(kernel.program(shape, case.buffers))
        try:
            error = case.error(prepared.run()["c"])
        finally:
            prepared.release()
        yield Check(
            kernel=kernel.label,
            configuration=configuration(kernel),
            tokens=shape.tokens,
            columns=shape.columns,
            depth=shape.depth,
            case=case.label,
            error=error if math.isfinite(error) else None,
            limit=case.limit,
            passed=error <= case.limit,
        )


def configuration(kernel: Kernel) -> str:
    """Compile-time choices and splits as one line."""
    product = str(kernel.modules[0]) if kernel.modules else kernel.source
    splits = getattr(kernel, "splits", 1)
    return f"{product} splits={splits}" if splits > 1 else product
