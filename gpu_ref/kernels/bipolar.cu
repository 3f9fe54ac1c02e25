// C[tokens, columns] s32 = A * B^T of bipolar integers: a code u of n bits stands for sum (2 u_i - 1) 2^i = 2 u - (2^n - 1). Exact,
// from sm_80, by 1-bit products in AND form (from sm_100 on the compiler emulates them with 8-bit ones).
//
//   sum a b = 4 sum ua ub - 2 (2^nb - 1) sum ua - 2 (2^na - 1) sum ub + depth (2^na - 1) (2^nb - 1)
//   sum ua ub = sum_ij 2^(i+j) popc(plane i of a & plane j of b);   row sums of codes are prepared with the planes
//
//   planes    [bits][rows][depth / 32] u32, bit k % 32 of word k / 32: value k (layouts/bit_planes.py)
//   block     16 x 32 of C, four warps side by side, each 16 x 8 for all pairs of planes
//   step      1024 of depth; a tile row is one plane of one row of an operand
//   grid      (columns / 32, tokens / 16, splits)
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kBitsA = BITS_A, kBitsB = BITS_B, kColumns = 32, kThreads = 128, kStages = 2;
constexpr int kLeftBytes = kBitsA * 16 * kRowBytes, kStageBytes = kLeftBytes + kBitsB * kColumns * kRowBytes;

struct Planes {
  const u8 *a, *b;
  const int *code_sums_a, *code_sums_b;
  int tokens, columns, depth;
};

DEVICE void fetch(const Planes& m, u8* stage, int step) {
  int token = blockIdx.y * 16, column = blockIdx.x * kColumns, pitch = m.depth / 8, at = step * kRowBytes;
  for (int i = 0; i < kBitsA; ++i)
    copy_tile_async<16, kThreads>(stage + i * 16 * kRowBytes, m.a + ((u64)i * m.tokens + token) * pitch + at, pitch,
                                  m.tokens - token, pitch - at, threadIdx.x);
  for (int j = 0; j < kBitsB; ++j)
    copy_tile_async<kColumns, kThreads>(stage + kLeftBytes + j * kColumns * kRowBytes,
                                        m.b + ((u64)j * m.columns + column) * pitch + at, pitch, m.columns - column, pitch - at,
                                        threadIdx.x);
}

// The two words of b of one product: 8 columns, 32 bytes.
DEVICE void load_column_planes(u32 (*b)[2], const u8* right, int warp, int k256, int lane) {
  for (int j = 0; j < kBitsB; ++j) {
    const u8* tile = right + j * kColumns * kRowBytes;
    int row = warp * 8 + lane / 4;
    for (int half = 0; half < 2; ++half) b[j][half] = load_shared((const u32*)(tile + swizzled(row, 2 * k256 + half)) + lane % 4);
  }
}

DEVICE int finished(int sum, int token, int column, const Planes& m) {
  const u32 kMostA = (1 << kBitsA) - 1, kMostB = (1 << kBitsB) - 1;  // the terms may pass 2^31, their sum does not
  return 4 * (u32)sum - 2 * kMostB * m.code_sums_a[token] - 2 * kMostA * m.code_sums_b[column] + m.depth * kMostA * kMostB;
}

extern "C" __global__ void __launch_bounds__(kThreads, 2)
bipolar(const u8* a, const u8* b, const int* code_sums_a, const int* code_sums_b, int* c, int* partial, int tokens, int columns,
        int depth) {
  SHARED_ARENA(arena);
  Planes m{a, b, code_sums_a, code_sums_b, tokens, columns, depth};
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int sums[kBitsA + kBitsB - 1][4] = {};  // by i + j, which is the weight of a pair of planes
  Range steps = split_range((depth + 1023) / 1024, blockIdx.z, gridDim.z);
  fetch(m, arena, steps.begin);
  commit_copies();
  for (int step = steps.begin; step < steps.end; ++step) {
    int index = step - steps.begin;
    wait_copies<0>();
    __syncthreads();
    if (step + 1 < steps.end) fetch(m, arena + (index + 1) % kStages * kStageBytes, step + 1);
    commit_copies();
    const u8* stage = arena + index % kStages * kStageBytes;
#pragma unroll
    for (int k256 = 0; k256 < 4; ++k256) {
      u32 right[kBitsB][2];
      load_column_planes(right, stage + kLeftBytes, warp, k256, lane);
#pragma unroll
      for (int i = 0; i < kBitsA; ++i) {
        u32 left[4];
        load_left(left, stage + i * 16 * kRowBytes, 0, k256, lane);
        for (int j = 0; j < kBitsB; ++j) multiply_b1_and(sums[i + j], left, right[j]);
      }
    }
  }
  for (int i = 0; i < 4; ++i) {
    int token = blockIdx.y * 16 + lane / 4 + 8 * (i / 2), column = blockIdx.x * kColumns + warp * 8 + lane % 4 * 2 + i % 2, sum = 0;
    for (int weight = 0; weight < kBitsA + kBitsB - 1; ++weight) sum += sums[weight][i] << weight;
    u64 at = (u64)token * columns + column;
    if (token >= tokens || column >= columns) continue;
    if (gridDim.z == 1) c[at] = finished(sum, token, column, m);
    else partial[(u64)blockIdx.z * tokens * columns + at] = sum;
  }
}

extern "C" __global__ void finish_bipolar(const int* code_sums_a, const int* code_sums_b, const int* partial, int* c, int tokens,
                                          int columns, int depth, int splits) {
  u64 count = (u64)tokens * columns, i = (u64)blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  Planes m{nullptr, nullptr, code_sums_a, code_sums_b, tokens, columns, depth};
  c[i] = finished(sum_of_splits(partial, count, i, splits), i / columns, i % columns, m);
}
