// The arithmetic of the numeric contract: per group of 64, an exact integer d, then in FP32, each operation rounded once,
//     acc = fl(acc + fl(d * fl(E * scale)))      E = 2^(exponent - 15 - (M - 1))
//
// Integers go to the Tensor Cores as bytes: v = high, s8, for M <= 7;  v = 256 high + low, s8 and u8, for M = 8 .. 15.
// Four values at a time, one a byte.
#pragma once
#include "tensor_core.cuh"

constexpr int kMantissaBits = MANTISSA_BITS, kParts = kMantissaBits <= 7 ? 1 : 2;
#if ZERO_POINTS
// Codes minus zero point, -15 .. 15.
constexpr int kWeightShift = 0;
static_assert(kMantissaBits <= 14, "64 * 15 * (2^M - 1) < 2^24 needs M <= 14");
#else
// Two's complement nibbles left in the upper half of their bytes: 16 times the weight, no sign to extend.
constexpr int kWeightShift = 4;
static_assert(kMantissaBits <= 15, "64 * 8 * (2^M - 1) < 2^24 needs M <= 15");
#endif

DEVICE u32 add_bytes(u32 a, u32 b) { return ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080); }

// Bit b of byte j of word r becomes bit r of byte j of word b.
DEVICE void transpose_bits(u32* words) {
#pragma unroll
  for (int apart = 4; apart > 0; apart /= 2) {
    u32 mask = apart == 4 ? 0x0f0f0f0f : apart == 2 ? 0x33333333 : 0x55555555;
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (!(i & apart)) {
        u32 a = words[i], b = words[i + apart];
        words[i] = (a & mask) | (b << apart & ~mask);
        words[i + apart] = (a >> apart & mask) | (b & ~mask);
      }
  }
}
// From a sign in bit 7 of the high byte: where it is 1, complement all other bits, add 1 below, carry where the low byte was 0.
DEVICE void from_sign_magnitude(u32& high, u32& low) {
  u32 negative = high >> 7 & 0x01010101, ones = negative * 255, carry = negative;
  if (kParts == 2) {
    u32 flipped = low ^ ones;
    low = ((flipped & 0x7f7f7f7f) + negative) ^ (flipped & 0x80808080);
    carry = (flipped & ~low) >> 7 & 0x01010101;
  }
  high = ((high ^ ones) + carry) ^ (high & 0x80808080);  // bit 7 is 0 where the carry goes
}

// E for sums of weights 2^kWeightShift too large, as powers of two change no rounding; NaN for a group with Inf or NaN in it,
// which the format refuses.
DEVICE float unit_of(u32 exponent) {
  return __uint_as_float(exponent == 31 ? 0x7fffffff : (exponent - 15 - (kMantissaBits - 1) + 127 - kWeightShift) << 23);
}

// Eight packed weights (layouts/s4_fragments.py) to the two words of operand b of a product.
DEVICE void weight_bytes(u32* b, u32 codes, u32 zero) {
#if ZERO_POINTS
  b[0] = add_bytes(codes & 0x0f0f0f0f, (256 - zero & 255) * 0x01010101);
  b[1] = add_bytes(codes >> 4 & 0x0f0f0f0f, (256 - zero & 255) * 0x01010101);
#else
  b[0] = codes << 4 & 0xf0f0f0f0;
  b[1] = codes & 0xf0f0f0f0;
#endif
}

// The Tensor Cores count from the bits of this float, so that below 2^22 their sums are floats, too: kZero + sum.
constexpr float kZero = 12582912;  // 1.5 * 2^23
constexpr u32 kZeroBits = 0x4b400000;

// What the sums of a token and group are multiplied by.
struct Unit { float low, high, zero; };
DEVICE Unit unit_from(float unit) {
  if (kParts == 1) return {0, unit, -kZero * unit};
  return {unit, 256 * unit, -257 * kZero * unit};
}
// fl(d * fl(E * scale)). E is a power of two and a scale has 11 bits, so E * scale is exact and d * E may come first: exact, too,
// as |d| < 2^24. On the way, (256 high - kZero) E has 21 bits.
DEVICE float term(u32 high, u32 low, const Unit& unit, float scale) {
  float sum = __fmaf_rn(__uint_as_float(high), unit.high, unit.zero);
  if (kParts == 2) sum = __fmaf_rn(__uint_as_float(low), unit.low, sum);
  return __fmul_rn(sum, scale);
}
