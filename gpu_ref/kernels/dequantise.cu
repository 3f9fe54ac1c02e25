// INT4 weights in fragment order (layouts/w4_fragments.py) to FP16 [columns][depth], for the vendor's FP16 product where a
// large batch pays for writing them out. From sm_80. One block of 128 a tile of 64 x 64; grid (columns / 64, depth / 64).
#include "int4_to_f16.cuh"

extern "C" __global__ void dequantise_weights(const u32* codes, const u32* scales, const u32* zeros, u32* w, int columns, int depth) {
  int k16 = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  u64 tiles = columns / 64, group = (blockIdx.y / 2 * tiles + blockIdx.x) * 8 + g;
  const u32* words = codes + ((blockIdx.y * tiles + blockIdx.x) * 128 + lane) * 4 + k16;
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    u32 pairs[2], scale = scales[group * 4 + j / 2] >> 16 * (j % 2) & 0xffff;
    dequantise(pairs, words[j / 2 * 128] >> 8 * (j % 2), dequantiser(zeros[group] >> 4 * j & 15, scale));
    u32* row = w + ((u64)(blockIdx.x * 64 + 8 * j + g) * depth + blockIdx.y * 64 + k16 * 16) / 2;
    row[t] = pairs[0], row[t + 4] = pairs[1];
  }
}
