// C[tokens, columns] = A[tokens, depth] FP16 * W INT4 in groups of 128 by warpgroup products. sm_90a only.
//
// C is computed transposed: the weights are operand a, which wgmma takes from registers, so they are dequantised where they are
// used, from the same layout as w4a16.cu (word j of a lane is warp j's); the activations are operand b, as they lie in rows.
//
//   block     kTokens x 128 of C, two warpgroups of 64 columns each
//   step      64 of depth, kStages in flight by cp.async; while a step is multiplied the weights of the next are dequantised
//   grid      (columns / 128, tokens / kTokens, splits)
#include "int4_to_f16.cuh"
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kTokens = TOKENS, kStages = STAGES, kThreads = 256, kWide = kTokens < 128 ? kTokens : 128;
constexpr int kTileBytes = (kTokens * kRowBytes + 1023) / 1024 * 1024, kCodeBytes = 2048, kScaleBytes = 128, kZeroBytes = 32;
constexpr int kGroupBytes = kCodeBytes + kScaleBytes + kZeroBytes;
constexpr int kStageBytes = (kTileBytes + 2 * kGroupBytes + 1023) / 1024 * 1024;
constexpr int kSumPitch = 128 + 4;  // floats

struct W4a16 {
  const u8* a;
  const uint4 *codes, *scales, *zeros;
  int tokens, columns, depth;
};

DEVICE void fetch(const W4a16& m, u8* stage, int step) {
  int first_token = blockIdx.y * kTokens, group = threadIdx.x / 128, thread = threadIdx.x % 128;
  copy_tile_async<kTokens, kThreads>(stage, m.a + ((u64)first_token * m.depth + step * 64) * 2, (u64)m.depth * 2,
                                     m.tokens - first_token, kRowBytes, threadIdx.x);
  u64 tile = (u64)step * (m.columns / 64) + blockIdx.x * 2 + group, scale = (u64)(step / 2) * (m.columns / 64) + blockIdx.x * 2 + group;
  u8* part = stage + kTileBytes + group * kGroupBytes;
  copy16_async(part + thread * 16, m.codes + tile * 128 + thread, true);
  if (thread < 8) copy16_async(part + kCodeBytes + thread * 16, m.scales + scale * 8 + thread, true);
  if (thread < 2) copy16_async(part + kCodeBytes + kScaleBytes + thread * 16, m.zeros + scale * 2 + thread, true);
}

// Operand a of the four products of a step: 16 columns of this warp, 64 of depth.
DEVICE void load_weights(u32 (*a)[4], const u8* part) {
  int warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;
  u32 codes[4], scales = load_shared((const u32*)(part + kCodeBytes) + lane / 4 * 4 + warp);
  u32 zeros = load_shared((const u32*)(part + kCodeBytes + kScaleBytes) + lane / 4) >> 8 * warp;
  load_shared16(codes, part + (warp * 32 + lane) * 16);
  Dequantiser first = dequantiser(zeros & 15, scales & 0xffff), second = dequantiser(zeros >> 4 & 15, scales >> 16);
#pragma unroll
  for (int k16 = 0; k16 < 4; ++k16) {
    u32 upper[2], lower[2];
    dequantise(upper, codes[k16], first);
    dequantise(lower, codes[k16] >> 8, second);
    a[k16][0] = upper[0], a[k16][1] = lower[0], a[k16][2] = upper[1], a[k16][3] = lower[1];
  }
}

DEVICE void store_sums(const float* sums, u8* arena, Output* c, float* partial, const W4a16& m) {
  float* staged = (float*)arena;
  int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
  for (int i = 0; i < kTokens / 2; ++i) store_shared(staged + (i / 4 * 8 + lane % 4 * 2 + i % 2) * kSumPitch + row + 8 * (i % 4 / 2), sums[i]);
  __syncthreads();
  for (int i = threadIdx.x; i < kTokens * 128; i += kThreads) {
    int token = blockIdx.y * kTokens + i / 128;
    if (token >= m.tokens) break;
    float sum = load_shared(staged + i / 128 * kSumPitch + i % 128);
    u64 at = (u64)token * m.columns + blockIdx.x * 128 + i % 128;
    if (gridDim.z == 1) c[at] = to_output(sum);
    else partial[(u64)blockIdx.z * m.tokens * m.columns + at] = sum;
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, 1)
w4a16_wgmma(const u8* a, const uint4* codes, const uint4* scales, const uint4* zeros, Output* c, float* partial, int tokens,
            int columns, int depth) {
  SHARED_ARENA(arena);
  W4a16 m{a, codes, scales, zeros, tokens, columns, depth};
  float sums[kTokens / 2] = {};
  Range steps = split_range(depth / 64, blockIdx.z, gridDim.z);
  for (int i = 0; i < kStages - 2; ++i) {
    if (steps.begin + i < steps.end) fetch(m, arena + i * kStageBytes, steps.begin + i);
    commit_copies();
  }
  u32 weights[2][4][4];
  int count = steps.end - steps.begin;
  auto stage = [&](int index) { return arena + index % kStages * kStageBytes; };
  auto arrive = [&](int index, u32 (*next)[4]) {  // step `index` has landed for all, and all have left the step before the last
    wait_copies<kStages - 3>();
    async_proxy_fence();
    __syncthreads();
    int ahead = index + kStages - 2;
    if (ahead < count) fetch(m, stage(ahead), steps.begin + ahead);
    commit_copies();
    load_weights(next, stage(index) + kTileBytes + threadIdx.x / 128 * kGroupBytes);
  };
  if (count > 0) arrive(0, weights[0]);
  auto multiply = [&](int index, u32 (*own)[4], u32 (*next)[4]) {
    warpgroup_fence();
#pragma unroll
    for (int k16 = 0; k16 < 4; ++k16)
      for (int piece = 0; piece < kTokens / kWide; ++piece)
        warpgroup_multiply_f16<kWide>(sums + piece * kWide / 2, own[k16], operand_descriptor(stage(index) + piece * kWide * kRowBytes, k16), true);
    warpgroup_commit();
    if (index + 1 < count) arrive(index + 1, next);
    warpgroup_wait<0>();
  };
  for (int index = 0; index < count; index += 2) {  // in twos, so that the compiler knows which registers are whose
    multiply(index, weights[0], weights[1]);
    if (index + 1 < count) multiply(index + 1, weights[1], weights[0]);
  }
  wait_copies<0>();
  __syncthreads();
  store_sums(sums, arena, c, partial, m);
}
