// The frame of the Anda kernels by warpgroup products, sm_90a only: C transposed, weights from registers, activations from tiles.
//
//   block  kTokens x 128 of C, two warpgroups of 64 columns each, two groups of 64 a step; every sum stays with its thread, so the
//          contract's order is the order of the steps
//   grid   (columns / 128, tokens / kTokens)
#pragma once
#include "anda_activations.cuh"
#include "anda_weights.cuh"
#include "output.cuh"

constexpr int kTokens = TOKENS, kStages = STAGES, kThreads = 256, kGroups = 2, kSums = kTokens / 2;
constexpr int kTileBytes = (kTokens * kRowBytes + 1023) / 1024 * 1024, kOutputPitch = 128 + 4;  // floats

template <class Source>
DEVICE void anda_wgmma_product(Source source, const Weights& w, Output* c, const Rows& at) {
  SHARED_ARENA(arena);
  constexpr int kRaw = (Source::kStageBytes + 15) / 16 * 16, kStage = (kRaw + 4 * kWarpBytes + 127) / 128 * 128;
  float* const units = (float*)(arena + kGroups * kTileBytes);
  u8* const stages = arena + kGroups * (kTileBytes + kTokens * 4);
  int thread = threadIdx.x, lane = thread % 32, warp = thread / 32, steps = w.groups / kGroups;
  WeightCopies<1> weights(w, 0, blockIdx.x * 4 + warp % 4, lane);
  float sums[kSums] = {};

  auto fetch = [&](int step) {
    u8* stage = stages + step % kStages * kStage;
    if (step < steps) {
      source.fetch(stage);
      if (warp < 4) weights.next(stage + kRaw + warp * kWarpBytes, lane);
    }
    commit_copies();
  };
  for (int step = 0; step < kStages - 1; ++step) fetch(step);
  for (int step = 0; step < steps; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads();
    fetch(step + kStages - 1);
    u8* stage = stages + step % kStages * kStage;
    source.units(units);
#pragma unroll
    for (int n = 0; n * kThreads < Source::kFills; ++n) {
      Place to = Source::place(n * kThreads + thread);
      if (to.group < kGroups && at.first_token + to.token / 8 * 8 < at.tokens)
        source.fill(arena + to.group * kTileBytes, units + to.group * kTokens + to.token, stage, to);
    }
    async_proxy_fence();
    __syncthreads();

    // This warp's 16 columns are half of a 32-column tile.
    const u8* part = stage + kRaw + warp / 2 * kWarpBytes;
    u32 zeros = load_zeros(part, lane) >> 8 * (warp % 2);
    const u16* scales = (const u16*)(part + 2 * kCodeBytes) + warp % 2 * 16 + lane / 4;
    float scale[2] = {half_to_float(load_shared(scales)), half_to_float(load_shared(scales + 8))};
#pragma unroll
    for (int own = 0; own < kGroups; ++own) {
      u32 codes[4], b[2][2][2], a[2][4];
      load_shared16(codes, part + own * kCodeBytes + (warp % 2 * 32 + lane) * 16);
      for (int i = 0; i < 4; ++i) weight_bytes(b[i / 2][i % 2], codes[i], zeros >> 4 * (i / 2) & 15);
      for (int half = 0; half < 2; ++half)
        for (int i = 0; i < 4; ++i) a[half][i] = b[i % 2][half][i / 2];
      const u8* tile = arena + own * kTileBytes;
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
        sums[i] = __fadd_rn(sums[i], term(high[i] + kZeroBits, kParts == 2 ? low[i] + kZeroBits : 0,
                                          unit_from(load_shared(units + own * kTokens + i / 4 * 8 + lane % 4 * 2 + i % 2)),
                                          scale[i % 4 / 2]));
    }
  }

  wait_copies<0>();
  __syncthreads();
  float* staged = (float*)arena;
#pragma unroll
  for (int i = 0; i < kSums; ++i)
    store_shared(staged + (i / 4 * 8 + lane % 4 * 2 + i % 2) * kOutputPitch + warp * 16 + lane / 4 + 8 * (i % 4 / 2), sums[i]);
  __syncthreads();
  for (int i = thread; i < kTokens * 128 && at.first_token + i / 128 < at.tokens; i += kThreads)
    c[(u64)(at.first_token + i / 128) * w.columns + blockIdx.x * 128 + i % 128] = to_output(load_shared(staged + i / 128 * kOutputPitch + i % 128));
}
