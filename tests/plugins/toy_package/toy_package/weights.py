"""Weights of 4 bits that are signed powers of two, 32 under an FP16 scale: a toy.

weight = (-1)^(code >> 3) * 2^-(code & 7) * scale;  no zero
memory   nibbles, the even weight low, then the scales
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.errors import InputError
from sim.formats import fp16, groups
from sim.formats.integer import packed, unpacked
from sim.formats.weight import WeightFormat

LEVELS = np.array([sign * 2.0**-power for sign in (1, -1) for power in range(8)])
BLOCK = 32


@dataclass(frozen=True, eq=False)
class Log4Tensor:
    codes: np.ndarray  # uint8 (columns, groups, 32)
    scales: np.ndarray  # float16 (columns, groups)
    length: int

    @property
    def shape(self):
        return len(self.codes), self.length

    def rows(self, which):
        return Log4Tensor(self.codes[which], self.scales[which], self.length)

    def decode(self):
        return groups.join(LEVELS[self.codes] * self.scales[..., None].astype(np.float64), self.length)

    def dequantise_fp16(self):
        return self.decode().astype(np.float16)


@dataclass(frozen=True)
class Log4(WeightFormat):
    kind = "toy_log4"
    summary = "signed powers of two of 4 bits, a toy"
    bits = 4  # through the weight port; `half` as it is: FP-FP converts them

    def column_bits(self, values):
        return 4 * values + self.side_bits(values)

    def side_bits(self, values):
        return 16 * -(-values // BLOCK)

    def encode(self, weights):
        fp16.refuse_nonfinite(weights, "weights")
        grouped = groups.split(weights.astype(np.float64), BLOCK)
        scales = np.maximum(np.abs(grouped).max(axis=-1).astype(np.float16), np.float16(2.0**-24))
        distances = np.abs(grouped[..., None] / scales[..., None, None] - LEVELS)
        return Log4Tensor(distances.argmin(axis=-1).astype(np.uint8), scales, weights.shape[-1])

    def image(self, weights):
        return packed(weights.codes, 4) + weights.scales.astype("<f2").tobytes()

    def from_image(self, image, shape):
        columns, length = shape
        count = columns * -(-length // BLOCK)
        if len(image) != count * (BLOCK // 2 + 2):
            raise InputError("the image has another size than the tensor", field="weights")
        codes = unpacked(image[: count * BLOCK // 2], 4, count * BLOCK).reshape(columns, -1, BLOCK)
        return Log4Tensor(codes, np.frombuffer(image[count * BLOCK // 2 :], "<f2").reshape(columns, -1), length)
