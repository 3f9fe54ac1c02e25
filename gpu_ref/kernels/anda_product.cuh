// The frame of the Anda kernels: C[tokens, columns] = decode(A) * W INT4 in groups of 128, bit-exact (anda_numbers.cuh).
//
//   block     kTokens x (32 kWarpsN) of C; of every 2 kWarpsK groups each warp takes two, which share a scale
//   step      2 kWarpsK groups: raw activations and weights by cp.async, kStages in flight; activations to bytes, once a block
//   order     the contract adds group after group, so K is split over warps, never over blocks: warps hand their terms
//             over through shared memory and every sum is added up in order by one thread
//   grid      (columns / (32 kWarpsN), tokens / kTokens)
#pragma once
#include "anda_activations.cuh"
#include "anda_weights.cuh"
#include "output.cuh"

constexpr int kTokens = TOKENS, kWarpsN = WARPS_N, kWarpsK = WARPS_K, kStages = STAGES;
constexpr int kWarps = kWarpsN * kWarpsK, kThreads = 32 * kWarps, kRowTiles = kTokens / 16, kGroups = 2 * kWarpsK;
constexpr int kColumns = 32 * kWarpsN, kTermPitch = kColumns + 8;  // floats
constexpr int kSumsEach = kTokens / kWarpsK, kWide = kSumsEach % 4 ? 2 : 4;  // sums of one thread, so many side by side

// Sums of 16 tokens x 8 columns of one group, counted from kZero.
DEVICE void sum_up(int* high, int* low, const u32 (*a)[4], const u32 (*b)[2]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) high[i] = low[i] = kZeroBits;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    multiply_s8(high, a[half], b[half]);
    if (kParts == 2) multiply_u8s8(low, a[2 + half], b[half]);
  }
}

template <class Source>
struct Arena {
  static constexpr int kRaw = (Source::kStageBytes + 15) / 16 * 16;
  static constexpr int kStage = (kRaw + kWarps * kWarpBytes + 127) / 128 * 128;
  static constexpr int kTiles = kGroups * kTokens * kRowBytes;  // first, for their alignment
  static constexpr int kUnits = kGroups * kTokens * 4;
  u8* base;
  DEVICE u8* tile(int group) const { return base + group * kTokens * kRowBytes; }
  DEVICE float* units() const { return (float*)(base + kTiles); }
  DEVICE u8* stages() const { return base + kTiles + kUnits; }
  DEVICE float* terms() const { return (float*)(stages() + kStages * kStage); }
};

// Sum `i` of this thread: kWide of them side by side.
DEVICE int owned_at(int i) { return (i / kWide * kThreads + threadIdx.x) * kWide + i % kWide; }

template <class Source>
DEVICE void anda_product(Source source, const Weights& w, Output* c, const Rows& at) {
  SHARED_ARENA(memory);
  Arena<Source> arena{memory};
  int thread = threadIdx.x, warp = thread / 32, lane = thread % 32, part = warp / kWarpsN;
  WeightCopies<kWarpsK> weights(w, part, blockIdx.x * kWarpsN + warp % kWarpsN, lane);
  float kept[kRowTiles][4][4] = {};  // kWarpsK == 1: sums as the products leave them
  float owned[kSumsEach] = {};       // else: sums of this thread
  int steps = (w.groups + kGroups - 1) / kGroups, left = steps;
  int at_stage = 0, at_refilled = (kStages - 1) * arena.kStage;

  for (int i = 0; i < kStages - 1; ++i) {
    if (i < steps) {
      source.fetch(arena.stages() + i * arena.kStage);
      weights.next(arena.stages() + i * arena.kStage + arena.kRaw + warp * kWarpBytes, lane);
    }
    commit_copies();
  }
  for (int group = 0; left > 0; --left, group += kGroups) {
    wait_copies<kStages - 2>();
    __syncthreads();  // the step has landed for all, and all have left its tiles and the stage that is filled next
    if (left > kStages - 1) {
      source.fetch(arena.stages() + at_refilled);
      weights.next(arena.stages() + at_refilled + arena.kRaw + warp * kWarpBytes, lane);
    }
    commit_copies();
    u8* stage = arena.stages() + at_stage;
    source.units(arena.units());
    u32 filler = thread;
    if (kRowTiles == 4) compute_anew_from(filler);  // sums of four tiles leave few registers
#pragma unroll(kRowTiles < 4 ? 4 : 1)
    for (int n = 0; n * kThreads < Source::kFills; ++n) {
      Place to = Source::place(n * kThreads + filler);
      if (at.first_token + to.token / 8 * 8 < at.tokens && to.group < kGroups && group + to.group < at.groups)
        source.fill(arena.tile(to.group), arena.units() + to.group * kTokens + to.token, stage, to);
    }
    __syncthreads();

    const u8* own = stage + arena.kRaw + warp * kWarpBytes;
    u32 zeros = load_zeros(own, lane);
    u32 scales[4];
    for (int j = 0; j < 4; ++j) scales[j] = load_shared((const u32*)(own + 2 * kCodeBytes) + 4 * j + lane % 4);
#pragma unroll(kRowTiles < 4 ? 2 : 1)
    for (int half = 0; half < 2; ++half) {
      u32 b[4][2][2];
      u32 reader = lane;
      if (kRowTiles == 4) compute_anew_from(zeros), compute_anew_from(reader);
      load_weights(b, own, half, zeros, lane);
#pragma unroll
      for (int row = 0; row < kRowTiles; ++row) {
        u32 a[2 * kParts][4];
        for (int k32 = 0; k32 < 2 * kParts; ++k32) load_left(a[k32], arena.tile(2 * part + half), 16 * row, k32, reader);
        const float* units = arena.units() + (2 * part + half) * kTokens + 16 * row + reader / 4;
        Unit unit[2] = {unit_from(load_shared(units)), unit_from(load_shared(units + 8))};
        float* terms = arena.terms() + ((2 * part + half) * kTokens + 16 * row + lane / 4) * kTermPitch + warp % kWarpsN * 32 + lane % 4 * 2;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          int high[4], low[4];
          sum_up(high, low, a, b[j]);
          float scale[2] = {half_to_float(scales[j]), half_to_float(scales[j] >> 16)};
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            Row<float, 2> found;
            for (int side = 0; side < 2; ++side)
              found.v[side] = term(high[2 * i + side], low[2 * i + side], unit[i], scale[side]);
            if (kWarpsK > 1) store_shared((Row<float, 2>*)(terms + 8 * i * kTermPitch + 8 * j), found);
            else
              for (int side = 0; side < 2; ++side)
                kept[row][j][2 * i + side] = __fadd_rn(kept[row][j][2 * i + side], found.v[side]);
          }
        }
      }
    }
    at_refilled = at_stage;
    at_stage = at_stage == (kStages - 1) * arena.kStage ? 0 : at_stage + arena.kStage;
    if (kWarpsK == 1) continue;
    __syncthreads();
#pragma unroll
    for (int own = 0; own < kGroups; ++own)
      if (group + own < w.groups)
#pragma unroll
        for (int i = 0; i < kSumsEach; i += kWide) {
          int place = owned_at(i), row = place / kColumns, column = place % kColumns;
          auto found = load_shared((const Row<float, kWide>*)(arena.terms() + (own * kTokens + row) * kTermPitch + column));
          for (int k = 0; k < kWide; ++k) owned[i + k] = __fadd_rn(owned[i + k], found.v[k]);
        }
  }

  auto store = [&](int token, int column, float sum) {
    if (at.first_token + token < at.tokens) c[(u64)(at.first_token + token) * w.columns + blockIdx.x * kColumns + column] = to_output(sum);
  };
  if (kWarpsK == 1)
    for (int row = 0; row < kRowTiles; ++row)
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 4; ++i)
          store(16 * row + lane / 4 + 8 * (i / 2), warp * 32 + 8 * j + lane % 4 * 2 + i % 2, kept[row][j][i]);
  else
    for (int i = 0; i < kSumsEach; ++i) store(owned_at(i) / kColumns, owned_at(i) % kColumns, owned[i]);
}
