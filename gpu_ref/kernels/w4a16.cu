// C[tokens, columns] = A[tokens, depth] FP16 * W INT4 in groups of 128, FP32 sums. From sm_80.
//
// Weights lie in the order of the product's fragments (layouts/w4_fragments.py), so a lane dequantises its own registers and
// no weight is ever written back to shared memory (MARLIN, QUICK; w4a16_awq.cu is the other way).
//
//   block     kTokens x (64 kWarpsN) of C; kWarpsK warps share the depth of a step and add up at the end
//   step      64 of depth a warp: activations through a swizzled tile, weights, scales and zeros as they lie
//   pipeline  kStages steps in flight by cp.async
//   grid      (columns / (64 kWarpsN), tokens / kTokens, splits): with splits > 1 finish.cu adds the partial sums
#include "int4_to_f16.cuh"
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kTokens = TOKENS, kWarpsN = WARPS_N, kWarpsK = WARPS_K, kStages = STAGES;
constexpr int kWarps = kWarpsN * kWarpsK, kThreads = 32 * kWarps, kRowTiles = kTokens / 16;
constexpr int kTileBytes = kTokens * kRowBytes, kCodeBytes = 2048, kScaleBytes = 128, kZeroBytes = 32;
constexpr int kWarpBytes = kCodeBytes + kScaleBytes + kZeroBytes;
constexpr int kStageBytes = (kWarpsK * kTileBytes + kWarps * kWarpBytes + 1023) / 1024 * 1024;
constexpr int kSumPitch = 64 * kWarpsN + 8;  // floats; free of bank conflicts

struct W4a16 {
  const u8* a;
  const uint4 *codes, *scales, *zeros;
  int tokens, columns, depth;
};

DEVICE u8* warp_part(u8* stage, int warp) { return stage + kWarpsK * kTileBytes + warp * kWarpBytes; }

DEVICE void fetch(const W4a16& m, u8* stage, int step) {
  int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
  int first_token = blockIdx.y * kTokens, column_tile = blockIdx.x * kWarpsN + warp % kWarpsN;
  for (int part = 0; part < kWarpsK; ++part) {
    int k = (step * kWarpsK + part) * 64;
    copy_tile_async<kTokens, kThreads>(stage + part * kTileBytes, m.a + ((u64)first_token * m.depth + k) * 2, (u64)m.depth * 2,
                                       m.tokens - first_token, (m.depth - k) * 2, thread);
  }
  int k = (step * kWarpsK + warp / kWarpsN) * 64;
  bool valid = k < m.depth;
  u64 tile = valid ? (u64)(k / 64) * (m.columns / 64) + column_tile : 0;
  u64 group = valid ? (u64)(k / 128) * (m.columns / 64) + column_tile : 0;
  u8* part = warp_part(stage, warp);
#pragma unroll
  for (int i = 0; i < 4; ++i) copy16_async(part + (i * 32 + lane) * 16, m.codes + tile * 128 + i * 32 + lane, valid);
  if (lane < 8) copy16_async(part + kCodeBytes + lane * 16, m.scales + group * 8 + lane, valid);
  if (lane < 2) copy16_async(part + kCodeBytes + kScaleBytes + lane * 16, m.zeros + group * 2 + lane, valid);
}

DEVICE void multiply_step(float (*sums)[8][4], u8* stage) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const u8 *tile = stage + warp / kWarpsN * kTileBytes, *part = warp_part(stage, warp);
  u32 scales[4];
  load_shared16(scales, part + kCodeBytes + lane / 4 * 16);
  u32 zeros = ((const u32*)(part + kCodeBytes + kScaleBytes))[lane / 4];
#pragma unroll
  for (int k16 = 0; k16 < 4; ++k16) {
    u32 codes[4], a[kRowTiles][4];
    load_shared16(codes, part + (k16 * 32 + lane) * 16);
    for (int row = 0; row < kRowTiles; ++row) load_left(a[row], tile, 16 * row, k16, lane);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      u32 scale = scales[j / 2] >> 16 * (j % 2) & 0xffff, b[2];
      dequantise(b, codes[j / 2] >> 8 * (j % 2), dequantiser(zeros >> 4 * j & 15, scale));
      for (int row = 0; row < kRowTiles; ++row) multiply_f16(sums[row][j], a[row], b);
    }
  }
}

// Through shared memory: adds the kWarpsK shares in order and lets neighbouring threads store neighbouring columns.
DEVICE void store_sums(float (*sums)[8][4], u8* arena, Output* c, float* partial, const W4a16& m) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float* shares = (float*)arena;
#pragma unroll
  for (int row = 0; row < kRowTiles; ++row)
    for (int j = 0; j < 8; ++j)
      for (int i = 0; i < 4; ++i)
        shares[(warp / kWarpsN * kTokens + 16 * row + lane / 4 + 8 * (i / 2)) * kSumPitch + warp % kWarpsN * 64 + 8 * j +
               lane % 4 * 2 + i % 2] = sums[row][j][i];
  __syncthreads();
  for (int i = threadIdx.x; i < kTokens * 64 * kWarpsN; i += kThreads) {
    int row = i / (64 * kWarpsN), column = i % (64 * kWarpsN), token = blockIdx.y * kTokens + row;
    if (token >= m.tokens) break;
    float sum = 0;
    for (int part = 0; part < kWarpsK; ++part) sum += shares[(part * kTokens + row) * kSumPitch + column];
    u64 at = (u64)token * m.columns + blockIdx.x * 64 * kWarpsN + column;
    if (gridDim.z == 1) c[at] = to_output(sum);
    else partial[(u64)blockIdx.z * m.tokens * m.columns + at] = sum;
  }
}

extern "C" __global__ void __launch_bounds__(kThreads)
w4a16(const u8* a, const uint4* codes, const uint4* scales, const uint4* zeros, Output* c, float* partial, int tokens,
      int columns, int depth) {
  SHARED_ARENA(arena);
  W4a16 m{a, codes, scales, zeros, tokens, columns, depth};
  float sums[kRowTiles][8][4] = {};
  Range steps = split_range((depth / 64 + kWarpsK - 1) / kWarpsK, blockIdx.z, gridDim.z);
  for (int i = 0; i < kStages - 1; ++i) {
    if (steps.begin + i < steps.end) fetch(m, arena + i * kStageBytes, steps.begin + i);
    commit_copies();
  }
  for (int step = steps.begin; step < steps.end; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads();  // the step has landed for all, and all have left the stage that is filled next
    int ahead = step + kStages - 1, index = step - steps.begin;
    if (ahead < steps.end) fetch(m, arena + (index + kStages - 1) % kStages * kStageBytes, ahead);
    commit_copies();
    multiply_step(sums, arena + index % kStages * kStageBytes);
  }
  wait_copies<0>();
  __syncthreads();
  store_sums(sums, arena, c, partial, m);
}
