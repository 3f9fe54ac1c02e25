// Two sources of activations for the Anda kernels. Both fill, 16 values a thread, rows of a swizzled tile:
//     row = token    chunks 0..3 the high bytes of a group's 64 values, chunks 4..7 the low ones
#pragma once
#include "anda_numbers.cuh"
#include "swizzle.cuh"

// Four threads fill a token's row. Eight of them meet no bank twice where their two tokens are 4 apart.
DEVICE int token_of(int i) { return (i / 4 & ~7) | (i / 4 & 1) << 2 | (i / 4 >> 1 & 3); }

// Encoded: [tokens][groups][1 + M] words of 64 bits (sign, then planes, MSB first), exponents a byte each apart.
struct FromPlanes {
  static constexpr int kRows = 1 + kMantissaBits;
  const u64* rows;
  const u8* exponents;

  // Odd, so that neighbouring tokens lie in different banks.
  __device__ static constexpr int pitch(int groups) { return kRows * groups | 1; }
  __device__ static constexpr int stage_bytes(int tokens, int groups) { return tokens * pitch(groups) * 8; }

  template <int kTokens, int kGroups, int kThreads>
  DEVICE void fetch(u8* stage, int first_token, int first_group, int tokens, int groups) const {
    for (int i = threadIdx.x; i < kTokens * kGroups * kRows; i += kThreads) {
      int row = i % (kGroups * kRows), token = i / (kGroups * kRows);
      bool valid = first_token + token < tokens && first_group + row / kRows < groups;
      u64 from = valid ? ((u64)(first_token + token) * groups + first_group) * kRows + row : 0;
      copy8_async(stage + (token * pitch(kGroups) + row) * 8, rows + from, valid);
    }
  }

  template <int kTokens, int kGroups>
  DEVICE float fill(u8* tile, const u8* stage, int token, int group, int quarter, u64 index, bool valid) const {
    const u16* bits = (const u16*)(stage + (token * pitch(kGroups) + group * kRows) * 8) + quarter;
    u32 high[4] = {}, low[4] = {};
#pragma unroll
    for (int row = 1; row <= kMantissaBits; ++row) {
      u32 plane = bits[4 * row];
      bool is_low = kParts == 2 && row > kMantissaBits - 8;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        u32& bytes = is_low ? low[i] : high[i];
        bytes = 2 * bytes + spread_bits(plane >> 4 * i & 15);
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      Bytes4 v = with_signs({high[i], low[i]}, spread_bits(bits[0] >> 4 * i & 15));
      high[i] = v.high, low[i] = v.low;
    }
    store_shared16(tile + swizzled(token, quarter), high);
    if (kParts == 2) store_shared16(tile + swizzled(token, 4 + quarter), low);
    return valid ? unit_of(exponents[index]) : 0.0f;
  }
};

// FP16, encoded here: the largest exponent of a group, then align and truncate.
struct FromFp16 {
  const u8* values;

  __device__ static constexpr int stage_bytes(int tokens, int groups) { return tokens * groups * kRowBytes; }

  template <int kTokens, int kGroups, int kThreads>
  DEVICE void fetch(u8* stage, int first_token, int first_group, int tokens, int groups) const {
    u64 pitch = (u64)groups * kRowBytes;
    for (int group = 0; group < kGroups; ++group)
      copy_tile_async<kTokens, kThreads>(stage + group * kTokens * kRowBytes, values + first_token * pitch + (first_group + group) * kRowBytes,
                                         pitch, tokens - first_token, (groups - first_group - group) * kRowBytes, threadIdx.x);
  }

  template <int kTokens, int kGroups>
  DEVICE float fill(u8* tile, const u8* stage, int token, int group, int quarter, u64, bool) const {
    u32 pairs[8], exponent = 1;
    load_shared16(pairs, stage + group * kTokens * kRowBytes + swizzled(token, 2 * quarter));
    load_shared16(pairs + 4, stage + group * kTokens * kRowBytes + swizzled(token, 2 * quarter + 1));
#pragma unroll
    for (int i = 0; i < 16; ++i) exponent = max(exponent, pairs[i / 2] >> 16 * (i % 2) + 10 & 31);
    exponent = max(exponent, shuffle_xor(exponent, 1));  // the four quarters of a group are neighbouring lanes
    exponent = max(exponent, shuffle_xor(exponent, 2));
    u32 high[4] = {}, low[4] = {};
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      u32 code = pairs[i / 2] >> 16 * (i % 2) & 0xffff, field = code >> 10 & 31;
      u32 justified = ((code & 1023) | (field ? 1024 : 0)) << 5;
      u32 mantissa = justified >> min(exponent - max(field, 1u) + 16 - kMantissaBits, 31u);
      u32 v = code >> 15 ? 0 - mantissa : mantissa;
      high[i / 4] |= (kParts == 1 ? v & 255 : v >> 8 & 255) << 8 * (i % 4);
      low[i / 4] |= (v & 255) << 8 * (i % 4);
    }
    store_shared16(tile + swizzled(token, quarter), high);
    if (kParts == 2) store_shared16(tile + swizzled(token, 4 + quarter), low);
    return unit_of(exponent);
  }
};
