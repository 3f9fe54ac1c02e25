"""What is timed, in the order of its importance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpu_ref import dispatch
from gpu_ref.card import Card
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.program import GemmShape
from gpu_ref.settings import Layer, Settings, shapes


@dataclass(frozen=True)
class Round:
    """Kernels that are timed on one shape; `choices` are those that the dispatcher picks."""

    shape: GemmShape
    kernels: tuple[Kernel, ...]
    choices: frozenset[Kernel]
    layers: tuple[str, ...]
    is_first: bool


def rounds(settings: Settings, named: dict[Layer, list[str]], card: Card) -> Iterator[Round]:
    """First FP16, W4A16 and Anda on all shapes; then all other kernels, beside FP16 again."""
    for first in (True, False):
        bits = settings.mantissa_bits.first if first else settings.mantissa_bits.later
        for shape in shapes(settings.shapes.tokens, named):
            kernels = (_first if first else _later)(shape, card, bits)
            choices = {dispatch.w4a16(shape, card)}
            for length in bits:
                choices |= {dispatch.anda(shape, card, length, from_fp16=fp16) for fp16 in (False, True)}
            names = tuple(named[shape.columns, shape.depth])
            yield Round(shape, kernels, frozenset(choices), names, is_first=first)


def _first(shape: GemmShape, card: Card, mantissa_bits: list[int]) -> tuple[Kernel, ...]:
    kernels: list[Kernel] = [
        Fp16(),
        dispatch.w4a16(shape, card),
        dispatch.w4a16_warps(shape, card),
        dispatch.w4a16_wgmma(shape, card),
        *(dispatch.anda(shape, card, bits) for bits in mantissa_bits),
    ]
    return _existing(kernels, shape, card)


def _later(shape: GemmShape, card: Card, mantissa_bits: list[int]) -> tuple[Kernel, ...]:
    done = {*_first(shape, card, [])} - {Fp16()}
    everything = dispatch.all_kernels(shape, card, mantissa_bits)
    return _existing([kernel for kernel in everything if kernel not in done], shape, card)


def _existing(kernels: list[Kernel], shape: GemmShape, card: Card) -> tuple[Kernel, ...]:
    unique = dict.fromkeys(kernels)
    return tuple(k for k in unique if k.runs_on(card.architecture) and dispatch.takes(k, shape))
