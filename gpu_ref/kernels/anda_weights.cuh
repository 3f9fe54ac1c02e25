// 64 x 32 weights of the Anda kernels on their way to registers: layouts/s4_fragments.py.
#pragma once
#include "anda_numbers.cuh"

constexpr int kCodeBytes = 1024, kScaleBytes = 64, kZeroBytes = 16, kWarpBytes = kCodeBytes + kScaleBytes + kZeroBytes;

struct Weights {
  const uint4 *codes, *scales, *zeros;
  int columns, groups;
};

DEVICE void fetch_weights(const Weights& w, u8* part, int group, int tile, int lane) {
  bool valid = group < w.groups;
  u64 tiles = w.columns / 32, at = valid ? group * tiles + tile : 0, shared = valid ? group / 2 * tiles + tile : 0;
  for (int i = 0; i < 2; ++i) copy16_async(part + (i * 32 + lane) * 16, w.codes + at * 64 + i * 32 + lane, valid);
  if (lane < 4) copy16_async(part + kCodeBytes + lane * 16, w.scales + shared * 4 + lane, valid);
  if (lane == 4) copy16_async(part + kCodeBytes + kScaleBytes, w.zeros + shared, valid);
}

// Operand b of the four 64 x 8 products of a warp, both halves of the group.
DEVICE void load_weights(u32 (*b)[2][2], const u8* part, int lane) {
  u32 zeros = ((const u16*)(part + kCodeBytes + kScaleBytes))[lane / 4];
  for (int pair = 0; pair < 2; ++pair) {
    u32 codes[4];
    load_shared16(codes, part + (pair * 32 + lane) * 16);
    for (int i = 0; i < 4; ++i) weight_bytes(b[2 * pair + i / 2][i % 2], codes[i], zeros >> 4 * (2 * pair + i / 2) & 15);
  }
}
