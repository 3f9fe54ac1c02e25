// 128 x 32 weights of the Anda kernels, two groups under one scale, on their way to registers: layouts/s4_fragments.py.
#pragma once
#include "anda_numbers.cuh"

constexpr int kCodeBytes = 1024, kScaleBytes = 64, kZeroBytes = 16, kWarpBytes = 2 * kCodeBytes + kScaleBytes + kZeroBytes;

struct Weights {
  const u8 *codes, *scales, *zeros;
  int columns, groups;
};

// What a lane copies of its warp's weights, kStride pairs of groups further every step.
template <int kStride>
struct WeightCopies {
  const u8 *codes, *extra;
  u64 half_stride, extra_stride;
  int pairs_left;

  DEVICE WeightCopies(const Weights& w, int first_pair, int tile, int lane) {
    u64 tiles = w.columns / 32, at = (u64)first_pair * tiles + tile;
    half_stride = tiles * kCodeBytes, pairs_left = w.groups / 2 - first_pair;
    codes = w.codes + ((u64)2 * first_pair * tiles + tile) * kCodeBytes + lane * 16;
    // Lanes 0 .. 3 bring the scales, 4 the zero points.
    bool is_scale = lane < 4;
    extra = (is_scale ? w.scales + at * kScaleBytes : w.zeros + at * kZeroBytes - kScaleBytes) + lane * 16;
    extra_stride = kStride * tiles * (is_scale ? kScaleBytes : kZeroBytes);
  }

  DEVICE void next(u8* part, int lane) {
    bool valid = pairs_left > 0;
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int i = 0; i < 2; ++i)
        if (valid) copy16_async(part + half * kCodeBytes + i * 512 + lane * 16, codes + half * half_stride + i * 512, true);
    if (valid && lane < 5) copy16_async(part + 2 * kCodeBytes + lane * 16, extra, true);
    codes += 2 * kStride * half_stride, extra += extra_stride, pairs_left -= kStride;
  }
};

DEVICE u32 load_zeros(const u8* part, int lane) { return load_shared((const u16*)(part + 2 * kCodeBytes + kScaleBytes) + lane / 4); }

// Operand b of the four 64 x 8 products of a warp, both halves of one of its groups.
DEVICE void load_weights(u32 (*b)[2][2], const u8* part, int group, u32 zeros, int lane) {
#pragma unroll
  for (int pair = 0; pair < 2; ++pair) {
    u32 codes[4];
    load_shared16(codes, part + group * kCodeBytes + (pair * 32 + lane) * 16);
#pragma unroll
    for (int i = 0; i < 4; ++i) weight_bytes(b[2 * pair + i / 2][i % 2], codes[i], zeros >> 4 * (2 * pair + i / 2) & 15);
  }
}
