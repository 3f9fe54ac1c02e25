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
  const u8 *a, *codes, *scales, *zeros;
  int tokens, columns, depth;
};

// What one thread copies of every step, with pointers that run along: 16 bytes of a row of A in each pass, 16 of the weights.
struct Copies {
  static constexpr int kRowsAPass = kThreads / 8, kPasses = (kTokens + kRowsAPass - 1) / kRowsAPass;
  const u8 *a, *codes, *extra;
  int rows_left, step;
  u64 pass_stride, codes_stride, extra_stride;

  DEVICE Copies(const W4a16& m, int first_step) : step(first_step) {
    int row = threadIdx.x / 8, thread = threadIdx.x % 128, first_token = blockIdx.y * kTokens;
    u64 pitch = (u64)m.depth * 2, tiles = m.columns / 64, tile = blockIdx.x * 2 + threadIdx.x / 128;
    rows_left = row < kTokens ? m.tokens - first_token - row : 0;
    a = m.a + (first_token + row) * pitch + (u64)step * kRowBytes + threadIdx.x % 8 * 16, pass_stride = kRowsAPass * pitch;
    codes = m.codes + (step * tiles + tile) * kCodeBytes + thread * 16, codes_stride = tiles * kCodeBytes;
    // Threads 0 .. 7 of a warpgroup bring the scales, 8 and 9 the zero points.
    bool is_scale = thread < 8;
    extra = (is_scale ? m.scales + tile * kScaleBytes : m.zeros + tile * kZeroBytes - kScaleBytes) + thread * 16;
    extra_stride = tiles * (is_scale ? kScaleBytes : kZeroBytes);
  }

  // The next step into a stage. Rows after the last token are zeros.
  DEVICE void next(u8* stage) {
    int thread = threadIdx.x % 128;
    u8 *to = stage + swizzled(threadIdx.x / 8, threadIdx.x % 8), *part = stage + kTileBytes + threadIdx.x / 128 * kGroupBytes + thread * 16;
    const u8* from = a;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      if (kTokens >= kRowsAPass || threadIdx.x / 8 < kTokens)
        copy16_async(to + pass * kRowsAPass * kRowBytes, from, pass * kRowsAPass < rows_left);
      from += pass_stride;
    }
    copy16_async(part, codes, true);
    if (thread < 10) copy16_async(part + kCodeBytes, extra + step / 2 * extra_stride, true);
    a += kRowBytes, codes += codes_stride, ++step;
  }
};

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
w4a16_wgmma(const u8* a, const u8* codes, const u8* scales, const u8* zeros, Output* c, float* partial, int tokens,
            int columns, int depth) {
  SHARED_ARENA(arena);
  W4a16 m{a, codes, scales, zeros, tokens, columns, depth};
  float sums[kTokens / 2] = {};
  Range steps = split_range(depth / 64, blockIdx.z, gridDim.z);
  Copies copies(m, steps.begin);
  int count = steps.end - steps.begin;
  auto stage = [&](int index) { return arena + index % kStages * kStageBytes; };
  for (int i = 0; i < kStages - 2; ++i) {
    if (i < count) copies.next(stage(i));
    commit_copies();
  }
  u32 weights[2][4][4];
  auto arrive = [&](int index, u32 (*next)[4]) {  // step `index` has landed for all, and all have left the step before the last
    wait_copies<kStages - 3>();
    async_proxy_fence();
    __syncthreads();
    int ahead = index + kStages - 2;
    if (ahead < count) copies.next(stage(ahead));
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
