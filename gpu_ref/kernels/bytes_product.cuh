// The frame of products of 8-bit values: sums = A[tokens, depth] B[columns, depth]^T, both with depth contiguous.
//
//   block     kTokens x 128 of C, four warps side by side, each kTokens x 32
//   step      128 of depth through two swizzled tiles, kStages in flight by cp.async
//   grid      (columns / 128, tokens / kTokens, splits)
//
// `kProduct` is the warp's product, `store(token, column, sum)` what becomes of a sum.
#pragma once
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kTokens = TOKENS, kColumns = 128, kStages = STAGES, kThreads = 128, kRowTiles = kTokens / 16;
constexpr int kLeftBytes = kTokens * kRowBytes, kStageBytes = kLeftBytes + kColumns * kRowBytes;
constexpr int kSumPitch = kColumns + 8;  // free of bank conflicts
static_assert(kTokens * kSumPitch * 4 <= kStages * kStageBytes, "the sums are laid over the stages");

struct Bytes {
  const u8 *a, *b;
  int tokens, columns, depth;
};

DEVICE void fetch(const Bytes& m, u8* stage, int step) {
  int k = step * kRowBytes, token = blockIdx.y * kTokens, column = blockIdx.x * kColumns;
  copy_tile_async<kTokens, kThreads>(stage, m.a + (u64)token * m.depth + k, m.depth, m.tokens - token, m.depth - k, threadIdx.x);
  copy_tile_async<kColumns, kThreads>(stage + kLeftBytes, m.b + (u64)column * m.depth + k, m.depth, m.columns - column,
                                      m.depth - k, threadIdx.x);
}

template <class Sum, void (*kProduct)(Sum*, const u32*, const u32*), class Store>
DEVICE void multiply_bytes(const Bytes& m, u8* arena, Store store) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  Sum sums[kRowTiles][4][4] = {};
  Range steps = split_range((m.depth + kRowBytes - 1) / kRowBytes, blockIdx.z, gridDim.z);
  for (int i = 0; i < kStages - 1; ++i) {
    if (steps.begin + i < steps.end) fetch(m, arena + i * kStageBytes, steps.begin + i);
    commit_copies();
  }
  for (int step = steps.begin; step < steps.end; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads();
    int ahead = step + kStages - 1, index = step - steps.begin;
    if (ahead < steps.end) fetch(m, arena + (index + kStages - 1) % kStages * kStageBytes, ahead);
    commit_copies();
    const u8 *left = arena + index % kStages * kStageBytes, *right = left + kLeftBytes;
#pragma unroll
    for (int k32 = 0; k32 < 4; ++k32) {
      u32 b[8];
      load_right(b, right, 32 * warp, k32, lane);
      load_right(b + 4, right, 32 * warp + 16, k32, lane);
#pragma unroll
      for (int row = 0; row < kRowTiles; ++row) {
        u32 a[4];
        load_left(a, left, 16 * row, k32, lane);
        for (int j = 0; j < 4; ++j) kProduct(sums[row][j], a, b + 2 * j);
      }
    }
  }
  wait_copies<0>();
  __syncthreads();
  Sum* staged = (Sum*)arena;  // so that neighbouring threads store neighbouring columns
#pragma unroll
  for (int row = 0; row < kRowTiles; ++row)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < 2; ++i)
        store_shared((Row<Sum, 2>*)(staged + (16 * row + lane / 4 + 8 * i) * kSumPitch + 32 * warp + 8 * j + lane % 4 * 2),
                     Row<Sum, 2>{{sums[row][j][2 * i], sums[row][j][2 * i + 1]}});
  __syncthreads();
  for (int i = threadIdx.x; i < kTokens * kColumns; i += kThreads) {
    int token = blockIdx.y * kTokens + i / kColumns, column = blockIdx.x * kColumns + i % kColumns;
    if (token < m.tokens && column < m.columns) store(token, column, load_shared(staged + i / kColumns * kSumPitch + i % kColumns));
  }
}
