// The frame of the Anda kernels by warpgroup products, sm_90a only: C transposed, weights from registers, activations from tiles.
//
//   block  kTokens x 128 of C, two warpgroups of 64 columns each, one group of 64 a step; every sum stays with its thread, so the
//          contract's order is the order of the steps
//   grid   (columns / 128, tokens / kTokens)
#pragma once
#include "anda_activations.cuh"
#include "anda_weights.cuh"
#include "output.cuh"

constexpr int kTokens = TOKENS, kStages = STAGES, kThreads = 256, kSums = kTokens / 2;
constexpr int kTileBytes = (kTokens * kRowBytes + 1023) / 1024 * 1024, kOutputPitch = 128 + 4;  // floats

template <class Source>
DEVICE void anda_wgmma_product(const Source& source, const Weights& w, Output* c, int tokens) {
  SHARED_ARENA(arena);
  constexpr int kRaw = (Source::stage_bytes(kTokens, 1) + 15) / 16 * 16, kStage = (kRaw + 4 * kWarpBytes + 127) / 128 * 128;
  u8* const tile = arena;
  float* const units = (float*)(arena + kTileBytes);
  u8* const stages = arena + kTileBytes + kTokens * 4;
  int thread = threadIdx.x, lane = thread % 32, warp = thread / 32, first_token = blockIdx.y * kTokens;
  float sums[kSums] = {};

  auto fetch = [&](int step) {
    u8* stage = stages + step % kStages * kStage;
    if (step < w.groups) {
      source.template fetch<kTokens, 1, kThreads>(stage, first_token, step, tokens, w.groups);
      if (warp < 4) fetch_weights(w, stage + kRaw + warp * kWarpBytes, step, blockIdx.x * 4 + warp, lane);
    }
    commit_copies();
  };
  for (int step = 0; step < kStages - 1; ++step) fetch(step);
  for (int step = 0; step < w.groups; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads();
    fetch(step + kStages - 1);
    u8* stage = stages + step % kStages * kStage;
    for (int i = thread; i < kTokens * 4; i += kThreads) {
      int token = token_of(i);
      float unit = source.template fill<kTokens, 1>(tile, stage, token, 0, i % 4, (u64)(first_token + token) * w.groups + step,
                                                    first_token + token < tokens);
      if (i % 4 == 0) units[token] = unit;
    }
    async_proxy_fence();
    __syncthreads();

    // This warp's 16 columns are half of a 32-column tile.
    const u8* part = stage + kRaw + warp / 2 * kWarpBytes;
    u32 codes[4], zeros = ((const u16*)(part + kCodeBytes + kScaleBytes))[lane / 4] >> 8 * (warp % 2), b[2][2][2], a[2][4];
    load_shared16(codes, part + (warp % 2 * 32 + lane) * 16);
    for (int i = 0; i < 4; ++i) weight_bytes(b[i / 2][i % 2], codes[i], zeros >> 4 * (i / 2) & 15);
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 4; ++i) a[half][i] = b[i % 2][half][i / 2];
    const u16* scales = (const u16*)(part + kCodeBytes) + warp % 2 * 16 + lane / 4;
    float scale[2] = {half_to_float(scales[0]), half_to_float(scales[8])};

    int high[kSums], low[kSums];
    warpgroup_fence();
    for (int half = 0; half < 2; ++half) {
      warpgroup_multiply_s8<kTokens>(high, a[half], operand_descriptor(tile, half), half);
      if constexpr (kParts == 2) warpgroup_multiply_s8u8<kTokens>(low, a[half], operand_descriptor(tile, 2 + half), half);
    }
    warpgroup_commit();
    warpgroup_wait<0>();
#pragma unroll
    for (int i = 0; i < kSums; ++i)
      sums[i] = accumulate(sums[i], dot_of(high[i], kParts == 2 ? low[i] : 0), units[i / 4 * 8 + lane % 4 * 2 + i % 2], scale[i % 4 / 2]);
  }

  wait_copies<0>();
  __syncthreads();
  float* staged = (float*)arena;
#pragma unroll
  for (int i = 0; i < kSums; ++i) staged[(i / 4 * 8 + lane % 4 * 2 + i % 2) * kOutputPitch + warp * 16 + lane / 4 + 8 * (i % 4 / 2)] = sums[i];
  __syncthreads();
  for (int i = thread; i < kTokens * 128 && first_token + i / 128 < tokens; i += kThreads)
    c[(u64)(first_token + i / 128) * w.columns + blockIdx.x * 128 + i % 128] = to_output(staged[i / 128 * kOutputPitch + i % 128]);
}
