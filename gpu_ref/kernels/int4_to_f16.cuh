// INT4 codes to FP16 weights, two at a time and without a conversion instruction: a code or-ed into the mantissa of 1024 is
// 1024 + code (low nibbles) or 1024 + 16 code (high nibbles); one subtraction or fused multiply-add, both exact, leaves code - zero.
#pragma once
#include "tensor_core.cuh"

struct Dequantiser {
  u32 low, high, scale;  // FP16 pairs: 1024 + zero, -(64 + zero), scale
};
DEVICE Dequantiser dequantiser(u32 zero, u32 scale) {
  return {(0x6400u | zero) * 0x10001u, (0xd400u | zero << 4) * 0x10001u, scale * 0x10001u};
}

// Nibbles 0 and 4 of `codes` to weights[0], 1 and 5 to weights[1]: fl16((code - zero) * scale).
DEVICE void dequantise(u32* weights, u32 codes, const Dequantiser& by) {
  const u32 k1024 = 0x64006400, kSixteenth = 0x2c002c00;
  weights[0] = half2_multiply(half2_subtract(and_or(codes, 0x000f000f, k1024), by.low), by.scale);
  weights[1] = half2_multiply(half2_fma(and_or(codes, 0x00f000f0, k1024), kSixteenth, by.high), by.scale);
}
