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

// Up to 7 bits 16 d is as exact as d, and the 16 goes into the unit: powers of two change no rounding.
constexpr int kDotShift = kParts == 1 ? kWeightShift : 0;

DEVICE u32 add_bytes(u32 a, u32 b) { return ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080); }
// 1 in every byte that is 0.
DEVICE u32 zero_bytes(u32 a) { return ~(((a & 0x7f7f7f7f) + 0x7f7f7f7f) | a) >> 7 & 0x01010101; }

struct Bytes4 { u32 high, low; };
// Negates where `negative` has a 1: complement all 16 bits, add 1 below, carry where the low byte was 0.
DEVICE Bytes4 with_signs(Bytes4 v, u32 negative) {
  // Below 128 the 1 carries into the sign at most: complement seven bits, add, complement the sign.
  if (kParts == 1) return {((v.high ^ negative * 127) + negative) ^ negative << 7, 0};
  u32 ones = negative * 255;
  return {add_bytes(v.high ^ ones, negative & zero_bytes(v.low)), add_bytes(v.low ^ ones, negative)};
}

// 2^(exponent - 15 - (M - 1)) for d as dot_of leaves it; NaN for a group with Inf or NaN in it, which the format refuses.
DEVICE float unit_of(u32 exponent) {
  return __uint_as_float(exponent == 31 ? 0x7fffffff : (exponent - 15 - (kMantissaBits - 1) + 127 - kDotShift) << 23);
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

// The contract's d times 2^kDotShift from the sums of both bytes; |d| < 2^24.
DEVICE int dot_of(int high, int low) { return (kParts == 1 ? high : 256 * high + low) >> (kWeightShift - kDotShift); }
// Exact. Below 2^22 adding to the bits of 1.5 * 2^23 is cheaper than the conversion instruction.
DEVICE float exact_float(int d) {
  if (kMantissaBits > 12) return __int2float_rn(d);
  return __fsub_rn(__uint_as_float(0x4b400000u + d), 12582912.0f);
}
DEVICE float term(int d, float unit, float scale) { return __fmul_rn(exact_float(d), __fmul_rn(unit, scale)); }
DEVICE float accumulate(float acc, int d, float unit, float scale) { return __fadd_rn(acc, term(d, unit, scale)); }
