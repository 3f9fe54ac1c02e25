// Two sources of activations for the Anda kernels. Both fill rows of a swizzled tile:
//     row = token    chunks 0..3 the high bytes of a group's 64 values, chunks 4..7 the low ones
//                    byte 4 r + j of a half is value r + 8 j of its 32 (layouts/s4_fragments.py)
// A source runs along its token's groups, kGroups of them a step; rows of tokens and groups that do not exist keep what stood
// there, as no output depends on them.
#pragma once
#include "anda_numbers.cuh"
#include "swizzle.cuh"

// What a thread fills at a time: a group of a token, or a part of it.
struct Place { int token, group, part; };

// Where a block stands in A.
struct Rows { int first_token, tokens, groups; };

// Encoded: [tokens][groups][1 + M] words of 64 bits (sign, then planes, MSB first), exponents a byte each apart.
template <int kTokens, int kGroups, int kThreads>
struct FromPlanes {
  static constexpr int kRows = 1 + kMantissaBits, kLanes = kThreads / kTokens, kChunks = kGroups * kRows / 2;
  static constexpr int kShares = kThreads >= 2 * kGroups * kTokens ? 2 : 1, kFills = kGroups * kTokens * kShares;
  static constexpr int kTogether = kRows % 2 ? 1 : 2;  // rows in 8 or 16 bytes, as they are aligned
  static constexpr int kPitch = (kChunks | 1) * 16;  // odd in 16 bytes, so that neighbouring tokens lie in different banks
  static constexpr int kStageBytes = kTokens * kPitch, kUnitsEach = (kGroups + kLanes - 1) / kLanes;
  const u8 *rows, *exponents;
  bool exists, unit_exists;
  int rows_left, units_left;
  u32 held[kUnitsEach];  // exponents of the step to come

  DEVICE FromPlanes(const u8* all_rows, const u8* all_exponents, const Rows& at) {
    int thread = threadIdx.x, token = at.first_token + thread / kLanes, unit_token = at.first_token + thread % kTokens;
    exists = token < at.tokens, unit_exists = unit_token < at.tokens;
    rows = all_rows + (u64)token * at.groups * kRows * 8 + thread % kLanes * 16;
    rows_left = at.groups * kRows - 2 * (thread % kLanes);
    exponents = all_exponents + (u64)unit_token * at.groups + thread / kTokens;
    units_left = at.groups - thread / kTokens;
    hold();
  }

  // The raw bytes of the next step.
  DEVICE void fetch(u8* stage) {
    u8* to = stage + threadIdx.x / kLanes * kPitch + threadIdx.x % kLanes * 16;
    int left = exists ? rows_left : 0;
#pragma unroll
    for (int n = 0; n * kLanes < kChunks; ++n) {
      bool inside = (n + 1) * kLanes <= kChunks || n * kLanes + threadIdx.x % kLanes < kChunks;
      if (inside && 2 * n * kLanes < left) copy16_async(to + n * kLanes * 16, rows + n * kLanes * 16, true);
    }
    rows += kGroups * kRows * 8, rows_left -= kGroups * kRows;
  }

  // The units of this step to shared memory, [groups][tokens]; the exponents of the next are on their way meanwhile.
  DEVICE void units(float* to) {
#pragma unroll
    for (int n = 0; n < kUnitsEach; ++n)
      if (n * kLanes + threadIdx.x / kTokens < kGroups) store_shared(to + threadIdx.x + n * kThreads, unit_of(held[n]));
    exponents += kGroups, units_left -= kGroups;
    hold();
  }

  // Eight threads fill a group of eight tokens, the next eight that of the next group: they meet in no bank.
  DEVICE static Place place(int i) {
    int sixteen = i / 16 / kShares;
    return {sixteen % (kTokens / 8) * 8 + i % 8, sixteen / (kTokens / 8) * 2 + i / 8 % 2, i / 16 % kShares};
  }

  DEVICE void fill(u8* tile, float*, const u8* stage, const Place& at) const {
    const u8* words = stage + at.token * kPitch + at.group * kRows * 8;
    u32 rows[kRows][2];  // halves of a group
#pragma unroll
    for (int row = 0; row < kRows; row += kTogether)
      if (kTogether == 2) load_shared16(rows[row], words + row * 8);
      else load_shared8(rows[row], words + row * 8);
#pragma unroll
    for (int share = 0; share < 2 / kShares; ++share) {
      int half = kShares == 2 ? at.part : share;
      auto plane = [&](int row) { return half ? rows[row][1] : rows[row][0]; };
      u32 high[8], low[8];
#pragma unroll
      for (int bit = 0; bit < 8; ++bit) {
        int row = kMantissaBits - bit, row_of_high = kParts == 1 ? row : row - 8;
        high[bit] = row_of_high > 0 ? plane(row_of_high) : 0;
        low[bit] = kParts == 2 ? plane(row) : 0;
      }
      high[7] = plane(0);
      transpose_bits(high);
      if (kParts == 2) transpose_bits(low);
#pragma unroll
      for (int i = 0; i < 8; ++i) from_sign_magnitude(high[i], low[i]);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        store_shared16(tile + swizzled(at.token, 2 * half + i), high + 4 * i);
        if (kParts == 2) store_shared16(tile + swizzled(at.token, 4 + 2 * half + i), low + 4 * i);
      }
    }
  }

 private:
  DEVICE void hold() {
#pragma unroll
    for (int n = 0; n < kUnitsEach; ++n) held[n] = unit_exists && n * kLanes < units_left ? exponents[n * kLanes] : 0;
  }
};

// FP16, encoded here: the largest exponent of a group, then align and truncate.
template <int kTokens, int kGroups, int kThreads>
struct FromFp16 {
  static constexpr int kLanes = kThreads / kTokens, kStageBytes = kTokens * kGroups * kRowBytes, kFills = kGroups * kTokens * 4;
  const u8* values;
  bool exists;
  int chunks_left;

  DEVICE FromFp16(const u8* all_values, const Rows& at) {
    int token = at.first_token + threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
    exists = token < at.tokens, chunks_left = at.groups * 8 - lane;
    values = all_values + (u64)token * at.groups * kRowBytes + lane * 16;
  }

  DEVICE void fetch(u8* stage) {
    int token = threadIdx.x / kLanes, lane = threadIdx.x % kLanes, left = exists ? chunks_left : 0;
#pragma unroll
    for (int n = 0; n * kLanes < 8 * kGroups; ++n) {
      int chunk = n * kLanes + lane;
      if (chunk < 8 * kGroups && n * kLanes < left)
        copy16_async(stage + chunk / 8 * kTokens * kRowBytes + swizzled(token, chunk % 8), values + n * kLanes * 16, true);
    }
    values += kGroups * kRowBytes, chunks_left -= 8 * kGroups;
  }

  DEVICE void units(float*) {}

  // Four threads fill a token's row. Eight of them meet no bank twice where their two tokens are 4 apart.
  DEVICE static Place place(int i) {
    int quad = i / 4, token = (quad & ~7) | (quad & 1) << 2 | (quad >> 1 & 3);
    return {token % kTokens, quad / kTokens, i % 4};
  }

  DEVICE void fill(u8* tile, float* unit, const u8* stage, const Place& at) const {
    int token = at.token, group = at.group, quarter = at.part;
    u64 fours[4];  // values 4 (quarter % 2) .. + 3 of each eight of a half
    u32 exponent = 1;
#pragma unroll
    for (int j = 0; j < 4; ++j)
      fours[j] = load_shared((const u64*)(stage + group * kTokens * kRowBytes + swizzled(token, quarter / 2 * 4 + j)) + quarter % 2);
#pragma unroll
    for (int i = 0; i < 16; ++i) exponent = max(exponent, (u32)(fours[i / 4] >> 16 * (i % 4)) >> 10 & 31);
    exponent = max(exponent, shuffle_xor(exponent, 1));  // the four quarters of a group are neighbouring lanes
    exponent = max(exponent, shuffle_xor(exponent, 2));
    u32 high[4] = {}, low[4] = {};
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      u32 code = (u32)(fours[i / 4] >> 16 * (i % 4)) & 0xffff, field = code >> 10 & 31;
      u32 justified = ((code & 1023) | (field ? 1024 : 0)) << 5;
      u32 mantissa = justified >> min(exponent - max(field, 1u) + 16 - kMantissaBits, 31u);
      u32 v = code >> 15 ? 0 - mantissa : mantissa;
      high[i % 4] |= (kParts == 1 ? v & 255 : v >> 8 & 255) << 8 * (i / 4);
      low[i % 4] |= (v & 255) << 8 * (i / 4);
    }
    store_shared16(tile + swizzled(token, quarter), high);
    if (kParts == 2) store_shared16(tile + swizzled(token, 4 + quarter), low);
    if (quarter == 0) store_shared(unit, unit_of(exponent));
  }
};
