// C[tokens, columns] = A E4M3 * B E4M3 by warpgroup products, FP32 sums. sm_90a only, where the warp's FP8 product is emulated.
// C is computed transposed: operand a is 64 columns of B, read into registers; operand b the activations, as they lie in rows.
//
//   block  kTokens x 128 of C, two warpgroups of 64 columns each; 128 of depth a step, kStages in flight
//   grid   (columns / 128, tokens / kTokens, splits)
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kTokens = TOKENS, kStages = STAGES, kThreads = 256;
constexpr int kRightBytes = 128 * kRowBytes, kStageBytes = kRightBytes + (kTokens * kRowBytes + 1023) / 1024 * 1024;

extern "C" __global__ void __launch_bounds__(kThreads, 1)
fp8_wgmma(const u8* a, const u8* b, Output* c, float* partial, int tokens, int columns, int depth) {
  SHARED_ARENA(arena);
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, first_token = blockIdx.y * kTokens, first_column = blockIdx.x * 128;
  float sums[kTokens / 2] = {};
  Range steps = split_range((depth + kRowBytes - 1) / kRowBytes, blockIdx.z, gridDim.z);
  auto fetch = [&](int step) {
    u8* stage = arena + (step - steps.begin) % kStages * kStageBytes;
    int k = step * kRowBytes;
    if (step < steps.end) {
      copy_tile_async<128, kThreads>(stage, b + (u64)first_column * depth + k, depth, columns - first_column, depth - k, threadIdx.x);
      copy_tile_async<kTokens, kThreads>(stage + kRightBytes, a + (u64)first_token * depth + k, depth, tokens - first_token, depth - k,
                                         threadIdx.x);
    }
    commit_copies();
  };
  for (int i = 0; i < kStages - 1; ++i) fetch(steps.begin + i);
  for (int step = steps.begin; step < steps.end; ++step) {
    wait_copies<kStages - 2>();
    async_proxy_fence();
    __syncthreads();
    fetch(step + kStages - 1);
    u8* stage = arena + (step - steps.begin) % kStages * kStageBytes;
    u32 weights[4][4];
    for (int k32 = 0; k32 < 4; ++k32) load_left(weights[k32], stage, 16 * warp, k32, lane);
    warpgroup_fence();
#pragma unroll
    for (int k32 = 0; k32 < 4; ++k32)
      warpgroup_multiply_e4m3<kTokens>(sums, weights[k32], operand_descriptor(stage + kRightBytes, k32), true);
    warpgroup_commit();
    warpgroup_wait<0>();
  }
#pragma unroll
  for (int i = 0; i < kTokens / 2; ++i) {
    int token = first_token + i / 4 * 8 + lane % 4 * 2 + i % 2, column = first_column + warp * 16 + lane / 4 + 8 * (i % 4 / 2);
    u64 at = (u64)token * columns + column;
    if (token >= tokens || column >= columns) continue;
    if (gridDim.z == 1) c[at] = to_output(sums[i]);
    else partial[(u64)blockIdx.z * tokens * columns + at] = sums[i];
  }
}
