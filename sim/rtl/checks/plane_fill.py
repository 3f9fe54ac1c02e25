"""What fills up partly read planes, alone: columns of 1 to 8 planes of which some are read, random stalls."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.formats import fp16
from sim.formats.integer import IntegerTensor
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Offer, RtlCase, Want, pack, to_bits
from sim.rtl.checks.build import Design, StreamPort
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.randomness import gaps, pattern

Signals = dict[str, NDArray[np.bool_]]
BLOCK = 16
"""Weights that the place of a group is counted in."""
COLUMNS = 6
"""Of one number of planes."""


def design(group_size: int) -> Design:
    """The filling pattern of a column as parameters and ports."""
    column = {"unread_i": 3, "block_i": 3, "codes_i": 8 * group_size, "zero_i": 8, "scale_i": 19}
    filled = {"filled_o": 8 * group_size, "filled_zero_o": 8, "filled_scale_o": 19}
    return Design(
        "plane_fill", {"GroupSize": group_size}, (StreamPort("column", column),), (StreamPort("filled", filled),)
    )


def check(design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """Groups of many columns a seed; the differences of each."""
    size, sides = int(design.parameters["GroupSize"]), []
    for seed in seeds:
        rng = random.Random(seed)
        given, wanted = columns(np.random.default_rng(seed), size)
        count = len(given["zero_i"])
        offer = Offer(pack(design.sources[0], given), np.zeros(count), gaps(rng, count))
        sides.append((RtlCase({"column": offer}, {"filled": Want(count, pattern(rng))}), wanted))
    found = []
    for (_, wanted), seen in zip(sides, bench.run(design, [case for case, _ in sides]), strict=True):
        comparison = Comparison()
        for signal, values in wanted.items():
            comparison.payload(signal, values, seen["filled"])
        # Nothing is held back: what enters leaves in the same cycle.
        comparison.cycles("filled", list(seen["column"].cycles), seen["filled"])
        found.append(comparison)
    return found


def columns(rng: np.random.Generator, group_size: int) -> tuple[Signals, Signals]:
    """Groups as they come from the port, and as they go on; each number of planes stored, and each read of them."""
    sides = [
        signals(random_weights(rng, stored, group_size), read)
        for stored in range(1, 9)
        for read in range(1, stored + 1)
    ]
    given, wanted = zip(*sides, strict=True)
    return _joined(given), _joined(wanted)


def random_weights(rng: np.random.Generator, bits: int, group_size: int) -> IntegerTensor:
    """A few columns of eight groups, with scales as FP16 holds them times 2^6, subnormal ones and zeros among them."""
    groups = (COLUMNS, 8)
    codes = rng.integers(0, 1 << bits, (*groups, group_size), dtype=np.uint8)
    zeros = rng.integers(0, 1 << bits, groups, dtype=np.uint8)
    scales = fp16.from_codes(rng.integers(0, 24 << 10, groups, dtype=np.uint16))
    return IntegerTensor(codes, scales * (rng.random(groups) < 0.9).astype(np.float16), zeros, 8 * group_size, bits)


def signals(stored: IntegerTensor, read_bits: int) -> tuple[Signals, Signals]:
    """All groups of a tensor (columns, K), column by column: what comes of the planes read, and what goes on."""
    columns, groups, size = stored.codes.shape
    unread, starts = stored.bits - read_bits, np.tile(np.arange(groups) * size, columns)
    given = _parts(replace(stored, codes=stored.codes >> np.uint8(unread)))
    given |= {"unread": to_bits(np.full((columns * groups, 1), unread), 3)}
    given |= {"block": to_bits((starts // BLOCK % 8)[:, np.newaxis], 3)}
    wanted = _parts(stored.planes(read_bits))
    names = {"codes": "filled_o", "zero": "filled_zero_o", "scale": "filled_scale_o"}
    return {f"{name}_i": bits for name, bits in given.items()}, {names[name]: bits for name, bits in wanted.items()}


def _parts(tensor: IntegerTensor) -> Signals:
    scales = tensor.scales.astype(np.float32).view(np.uint32) >> 13
    return {
        "codes": to_bits(tensor.codes.reshape(-1, tensor.group_size), 8),
        "zero": to_bits(tensor.zeros.reshape(-1, 1), 8),
        "scale": to_bits(scales.reshape(-1, 1), 19),
    }


def _joined(parts: Sequence[Signals]) -> Signals:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
