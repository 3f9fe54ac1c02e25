// The frame of the Anda kernels: C[tokens, columns] = decode(A) * W INT4 in groups of 128, bit-exact (anda_numbers.cuh).
//
//   block     kTokens x (32 kWarpsN) of C; of every kWarpsK groups each warp takes one
//   step      kWarpsK groups: raw activations and weights by cp.async, kStages in flight; activations to bytes, once a block
//   order     the contract adds group after group, so K is split over warps, never over blocks: warps hand their terms
//             over through shared memory and every sum is added up in order by one thread
//   grid      (columns / (32 kWarpsN), tokens / kTokens)
#pragma once
#include "anda_activations.cuh"
#include "anda_weights.cuh"
#include "output.cuh"

constexpr int kTokens = TOKENS, kWarpsN = WARPS_N, kWarpsK = WARPS_K, kStages = STAGES;
constexpr int kWarps = kWarpsN * kWarpsK, kThreads = 32 * kWarps, kRowTiles = kTokens / 16;
constexpr int kTermPitch = 32 * kWarpsN + 8;  // floats
constexpr int kSumsEach = kTokens / kWarpsK;

// d of 16 tokens x 8 columns of one group.
DEVICE void dots(int* d, const u32 (*a)[4], const u32 (*b)[2]) {
  int high[4] = {}, low[4] = {};
  for (int half = 0; half < 2; ++half) {
    multiply_s8(high, a[half], b[half]);
    if (kParts == 2) multiply_u8s8(low, a[2 + half], b[half]);
  }
  for (int i = 0; i < 4; ++i) d[i] = dot_of(high[i], low[i]);
}

template <class Source>
struct Arena {
  static constexpr int kRaw = (Source::stage_bytes(kTokens, kWarpsK) + 15) / 16 * 16;
  static constexpr int kStage = (kRaw + kWarps * kWarpBytes + 127) / 128 * 128;
  static constexpr int kTiles = kWarpsK * kTokens * kRowBytes;  // first, for their alignment
  static constexpr int kUnits = kWarpsK * kTokens * 4;
  u8* base;
  DEVICE u8* tile(int group) const { return base + group * kTokens * kRowBytes; }
  DEVICE float* units() const { return (float*)(base + kTiles); }
  DEVICE u8* stage(int i) const { return base + kTiles + kUnits + i % kStages * kStage; }
  DEVICE u8* weights(int i, int warp) const { return stage(i) + kRaw + warp * kWarpBytes; }
  DEVICE float* terms() const { return (float*)stage(0) + kStages * kStage / 4; }
};

template <class Source>
DEVICE void anda_product(const Source& source, const Weights& w, Output* c, int tokens) {
  SHARED_ARENA(memory);
  Arena<Source> arena{memory};
  int thread = threadIdx.x, warp = thread / 32, lane = thread % 32, first_token = blockIdx.y * kTokens;
  int column_tile = blockIdx.x * kWarpsN + warp % kWarpsN, steps = (w.groups + kWarpsK - 1) / kWarpsK;
  float kept[kRowTiles][4][4] = {};  // kWarpsK == 1: sums as the products leave them
  float owned[kSumsEach] = {};       // else: sums thread, thread + kThreads, ... of the block, row after row

  auto fetch = [&](int step) {
    if (step < steps) {
      source.template fetch<kTokens, kWarpsK, kThreads>(arena.stage(step), first_token, step * kWarpsK, tokens, w.groups);
      fetch_weights(w, arena.weights(step, warp), step * kWarpsK + warp / kWarpsN, column_tile, lane);
    }
    commit_copies();
  };
  for (int step = 0; step < kStages - 1; ++step) fetch(step);
  for (int step = 0; step < steps; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads();
    fetch(step + kStages - 1);
    for (int i = thread; i < kWarpsK * kTokens * 4; i += kThreads) {
      int quarter = i % 4, token = token_of(i) % kTokens, group = i / 4 / kTokens, at = step * kWarpsK + group;
      bool valid = first_token + token < tokens && at < w.groups;
      float unit = source.template fill<kTokens, kWarpsK>(arena.tile(group), arena.stage(step), token, group, quarter,
                                                          (u64)(first_token + token) * w.groups + at, valid);
      if (quarter == 0) arena.units()[group * kTokens + token] = unit;
    }
    __syncthreads();

    int group = warp / kWarpsN;
    const u8* part = arena.weights(step, warp);
    const float* units = arena.units() + group * kTokens;
    u32 b[4][2][2];
    load_weights(b, part, lane);
#pragma unroll
    for (int row = 0; row < kRowTiles; ++row) {
      u32 a[2 * kParts][4];
      for (int k32 = 0; k32 < 2 * kParts; ++k32) load_left(a[k32], arena.tile(group), 16 * row, k32, lane);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        int d[4];
        dots(d, a, b[j]);
        u32 scales = ((const u32*)(part + kCodeBytes))[4 * j + lane % 4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          int token = 16 * row + lane / 4 + 8 * (i / 2);
          float scale = half_to_float(scales >> 16 * (i % 2));
          if (kWarpsK == 1) kept[row][j][i] = accumulate(kept[row][j][i], d[i], units[token], scale);
          else
            arena.terms()[(group * kTokens + token) * kTermPitch + warp % kWarpsN * 32 + 8 * j + lane % 4 * 2 + i % 2] =
                accumulate(0.0f, d[i], units[token], scale);
        }
      }
    }
    if (kWarpsK == 1) continue;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kSumsEach; ++i) {
      int at = thread + i * kThreads, row = at / (32 * kWarpsN), column = at % (32 * kWarpsN);
      for (int part = 0; part < kWarpsK && step * kWarpsK + part < w.groups; ++part)
        owned[i] = __fadd_rn(owned[i], arena.terms()[(part * kTokens + row) * kTermPitch + column]);
    }
  }

  auto store = [&](int token, int column, float sum) {
    if (first_token + token < tokens)
      c[(u64)(first_token + token) * w.columns + blockIdx.x * 32 * kWarpsN + column] = to_output(sum);
  };
  if (kWarpsK == 1)
    for (int row = 0; row < kRowTiles; ++row)
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 4; ++i)
          store(16 * row + lane / 4 + 8 * (i / 2), warp * 32 + 8 * j + lane % 4 * 2 + i % 2, kept[row][j][i]);
  else
    for (int i = 0; i < kSumsEach; ++i) {
      int at = thread + i * kThreads;
      store(at / (32 * kWarpsN), at % (32 * kWarpsN), owned[i]);
    }
}
