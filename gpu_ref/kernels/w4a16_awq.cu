// C[tokens, columns] = A FP16 * W INT4 in groups of 128, the way of AWQ's kernel: weights lie eight columns a word
// (layouts/w4_awq.py), are dequantised by whoever loads them, written back to shared memory as FP16 and read again by ldmatrix.
// Kept to be compared with w4a16.cu; FP32 sums, from sm_80.
//
//   block  kTokens x 128 of C, four warps side by side, 64 of depth a step, one step at a time
//   grid   (columns / 128, tokens / kTokens, splits)
#include "int4_to_f16.cuh"
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kTokens = TOKENS, kRowTiles = kTokens / 16, kThreads = 128, kColumns = 128;
constexpr int kWeightPitch = kColumns + 8;  // halves; the padding keeps ldmatrix free of bank conflicts

// 64 x 128 weights: one 16-byte write-back for every eight.
DEVICE void write_back(u16* tile, const u32* codes, const u16* scales, const u32* zeros, int k, int columns, int depth) {
  int words = columns / 8;
  for (int i = threadIdx.x; i < 64 * kColumns / 8; i += kThreads) {
    int row = i / (kColumns / 8), word = blockIdx.x * (kColumns / 8) + i % (kColumns / 8);
    u64 group = (u64)(k / 128) * words + word;
    u32 packed = codes[(u64)(k + row) * words + word], zero = zeros[group], weights[4];
    const u16* scale = scales + group * 8;
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      // Columns 2 pair and 2 pair + 1 lie in nibbles pair and pair + 4.
      u32 low = 0x64006400 | (zero >> 4 * pair & 0x000f000f), code = and_or(packed >> 4 * pair, 0x000f000f, 0x64006400);
      weights[pair] = half2_multiply(half2_subtract(code, low), scale[2 * pair] | (u32)scale[2 * pair + 1] << 16);
    }
    store_shared16(tile + row * kWeightPitch + i % (kColumns / 8) * 8, weights);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads)
w4a16_awq(const u8* a, const u32* codes, const u16* scales, const u32* zeros, Output* c, float* partial, int tokens, int columns,
          int depth) {
  SHARED_ARENA(arena);
  u16* weights = (u16*)(arena + kTokens * kRowBytes);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first_token = blockIdx.y * kTokens;
  float sums[kRowTiles][4][4] = {};
  Range steps = split_range(depth / 64, blockIdx.z, gridDim.z);
  for (int step = steps.begin; step < steps.end; ++step) {
    __syncthreads();
    copy_tile_async<kTokens, kThreads>(arena, a + ((u64)first_token * depth + step * 64) * 2, (u64)depth * 2,
                                       tokens - first_token, kRowBytes, threadIdx.x);
    commit_copies();
    write_back(weights, codes, scales, zeros, step * 64, columns, depth);
    wait_copies<0>();
    __syncthreads();
#pragma unroll
    for (int k16 = 0; k16 < 4; ++k16)
      for (int pair = 0; pair < 2; ++pair) {
        u32 b[4];
        load_matrices_transposed(b, weights + (k16 * 16 + lane % 16) * kWeightPitch + warp * 32 + pair * 16 + lane / 16 * 8);
        for (int row = 0; row < kRowTiles; ++row) {
          u32 left[4];
          load_left(left, arena, 16 * row, k16, lane);
          multiply_f16(sums[row][2 * pair], left, b);
          multiply_f16(sums[row][2 * pair + 1], left, b + 2);
        }
      }
  }
  for (int row = 0; row < kRowTiles; ++row)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < 4; ++i) {
        int token = first_token + 16 * row + lane / 4 + 8 * (i / 2);
        u64 at = (u64)token * columns + blockIdx.x * kColumns + warp * 32 + 8 * j + lane % 4 * 2 + i % 2;
        if (token >= tokens) continue;
        if (gridDim.z == 1) c[at] = to_output(sums[row][j][i]);
        else partial[(u64)blockIdx.z * tokens * columns + at] = sums[row][j][i];
      }
}
