// C[tokens, columns] = A[tokens, depth] FP16 * W INT4 in groups of 128, FP32 sums. From sm_80.
//
// Weights lie in the order of the product's fragments (layouts/w4_fragments.py), so a lane dequantises its own registers and
// no weight is ever written back to shared memory (MARLIN, QUICK; w4a16_awq.cu is the other way).
//
//   block     kTokens x (64 kWarpsN) of C; kWarpsK warps share the depth of a step and add up at the end
//   step      128 of depth a warp, one group of weights: activations through two swizzled tiles, weights, scales and zeros as
//             they lie; copies are unrolled, their pointers run along
//   pipeline  kStages steps in flight by cp.async, one barrier a step
//   grid      (columns / (64 kWarpsN), tokens / kTokens, splits): with splits > 1 finish.cu adds the partial sums
#include "int4_to_f16.cuh"
#include "output.cuh"
#include "swizzle.cuh"

constexpr int kTokens = TOKENS, kWarpsN = WARPS_N, kWarpsK = WARPS_K, kStages = STAGES;
constexpr int kWarps = kWarpsN * kWarpsK, kThreads = 32 * kWarps, kRowTiles = kTokens / 16;
constexpr int kTileBytes = kTokens * kRowBytes, kHalfBytes = 2048, kCodeBytes = 2 * kHalfBytes, kScaleBytes = 128, kZeroBytes = 32;
constexpr int kWarpBytes = kCodeBytes + kScaleBytes + kZeroBytes;
constexpr int kStageBytes = (2 * kWarpsK * kTileBytes + kWarps * kWarpBytes + 1023) / 1024 * 1024;
constexpr int kSumPitch = 64 * kWarpsN + 8;  // floats; free of bank conflicts
constexpr int kGroupBytes = 256;             // of a row of A

struct W4a16 {
  const u8* a;
  const u8 *codes, *scales, *zeros;
  int tokens, columns, depth;
};

DEVICE u8* warp_part(u8* stage, int warp) { return stage + 2 * kWarpsK * kTileBytes + warp * kWarpBytes; }

// Sums of four row tiles leave registers for half of a lane's 16 bytes of codes at a time. Lanes read 8 bytes 16 apart then, and
// where lanes 8 .. 15 and 24 .. 31 keep their halves exchanged, 16 of them use all banks.
constexpr bool kByHalves = kRowTiles == 4;
DEVICE int half_at(int lane, int half) { return lane * 16 + ((half ^ lane / 8 % 2) * 8); }
// 512 bytes of codes.
DEVICE void copy_codes(u8* to, const u8* from, int lane, bool valid) {
  if (!kByHalves) return copy16_async(to + lane * 16, from, valid);
#pragma unroll
  for (int i = 0; i < 2; ++i) copy8_async(to + i * 256 + half_at(lane / 2, lane % 2), from + i * 256, valid);
}

// What one thread copies of every step: 16 bytes of a row of A in each pass and part, and 16 bytes a lane of its warp's weights.
struct Copies {
  static constexpr int kRowsAPass = kThreads / 16, kPasses = kTokens / kRowsAPass;
  const u8 *a, *codes, *extra;
  int rows_left, group, groups;
  u64 pass_stride, half_stride, codes_stride, extra_stride;

  DEVICE Copies(const W4a16& m, int first_step) {
    int thread = threadIdx.x, warp = thread / 32, lane = thread % 32, first_token = blockIdx.y * kTokens, row = thread / 16;
    u64 pitch = (u64)m.depth * 2, tiles = m.columns / 64, tile = blockIdx.x * kWarpsN + warp % kWarpsN;
    group = first_step * kWarpsK, groups = m.depth / 128, rows_left = m.tokens - first_token - row;
    a = m.a + (first_token + row) * pitch + (u64)group * kGroupBytes + thread % 16 * 16;
    pass_stride = kRowsAPass * pitch;
    u64 own = group + warp / kWarpsN;
    half_stride = tiles * kHalfBytes, codes_stride = 2 * kWarpsK * half_stride;
    codes = m.codes + (2 * own * tiles + tile) * kHalfBytes + lane * (kByHalves ? 8 : 16);
    // Lanes 0 .. 7 bring the scales, 8 and 9 the zero points.
    bool is_scale = lane < 8;
    extra = (is_scale ? m.scales + (own * tiles + tile) * kScaleBytes : m.zeros + (own * tiles + tile) * kZeroBytes - 128) + lane * 16;
    extra_stride = kWarpsK * tiles * (is_scale ? kScaleBytes : kZeroBytes);
  }

  // The next step into a stage.
  DEVICE void next(u8* stage) {
    int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    u8* tile = stage + thread % 16 / 8 * kTileBytes;
    const u8* from = a;
#pragma unroll 8  // where few warps copy many rows, more addresses at a time would not fit the registers
    for (int pass = 0; pass < kPasses; ++pass) {
      u8* to = tile + swizzled(thread / 16 + pass * kRowsAPass, thread % 8);
#pragma unroll
      for (int part = 0; part < kWarpsK; ++part)
        copy16_async(to + 2 * part * kTileBytes, from + part * kGroupBytes, pass * kRowsAPass < rows_left && group + part < groups);
      from += pass_stride;
    }
    bool valid = group + warp / kWarpsN < groups;
    u8* part = warp_part(stage, warp);
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int i = 0; i < 4; ++i) copy_codes(part + half * kHalfBytes + i * 512, codes + half * half_stride + i * 512, lane, valid);
    if (lane < 10) copy16_async(part + kCodeBytes + lane * 16, extra, valid);
    a += kWarpsK * kGroupBytes, codes += codes_stride, extra += extra_stride, group += kWarpsK;
  }
};

// The codes of a lane from step k16 on: all four steps at once, or two.
DEVICE void load_codes(u32 (*codes)[4], const u8* from, int lane, int k16) {
  if (!kByHalves && k16 == 0)
    for (int pair = 0; pair < 4; ++pair) load_shared16(codes[pair], from + pair * 512 + lane * 16);
  if (kByHalves && k16 % 2 == 0)
    for (int pair = 0; pair < 4; ++pair) load_shared8(&codes[pair][k16], from + pair * 512 + half_at(lane, k16 / 2));
}

DEVICE void multiply_step(float (*sums)[8][4], u8* stage) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const u8 *tiles = stage + 2 * (warp / kWarpsN) * kTileBytes, *part = warp_part(stage, warp);
#pragma unroll(kRowTiles < 4 ? 2 : 1)  // sums of four tiles leave no registers for what both halves share
  for (int half = 0; half < 2; ++half) {
    u32 codes[4][4], scales[4], zeros = load_shared((const u32*)(part + kCodeBytes + kScaleBytes) + lane / 4);
    load_shared16(scales, part + kCodeBytes + lane / 4 * 16);
#pragma unroll
    for (int k16 = 0; k16 < 4; ++k16) {
      u32 a[kRowTiles][4];
      load_codes(codes, part + half * kHalfBytes, lane, k16);
      for (int row = 0; row < kRowTiles; ++row) load_left(a[row], tiles + half * kTileBytes, 16 * row, k16, lane);
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        u32 scale = scales[j / 2] >> 16 * (j % 2) & 0xffff, b[2];
        dequantise(b, codes[j / 2][k16] >> 8 * (j % 2), dequantiser(zeros >> 4 * j & 15, scale));
        for (int row = 0; row < kRowTiles; ++row) multiply_f16(sums[row][j], a[row], b);
      }
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
      for (int i = 0; i < 2; ++i)
        store_shared((Row<float, 2>*)(shares + (warp / kWarpsN * kTokens + 16 * row + lane / 4 + 8 * i) * kSumPitch +
                                      warp % kWarpsN * 64 + 8 * j + lane % 4 * 2),
                     Row<float, 2>{{sums[row][j][2 * i], sums[row][j][2 * i + 1]}});
  __syncthreads();
  for (int i = threadIdx.x; i < kTokens * 64 * kWarpsN; i += kThreads) {
    int row = i / (64 * kWarpsN), column = i % (64 * kWarpsN), token = blockIdx.y * kTokens + row;
    if (token >= m.tokens) break;
    float sum = 0;
    for (int part = 0; part < kWarpsK; ++part) sum += load_shared(shares + (part * kTokens + row) * kSumPitch + column);
    u64 at = (u64)token * m.columns + blockIdx.x * 64 * kWarpsN + column;
    if (gridDim.z == 1) c[at] = to_output(sum);
    else partial[(u64)blockIdx.z * m.tokens * m.columns + at] = sum;
  }
}

extern "C" __global__ void __launch_bounds__(kThreads, kTokens == 16 ? 2 : 1)
w4a16(const u8* a, const u8* codes, const u8* scales, const u8* zeros, Output* c, float* partial, int tokens, int columns,
      int depth) {
  SHARED_ARENA(arena);
  W4a16 m{a, codes, scales, zeros, tokens, columns, depth};
  float sums[kRowTiles][8][4] = {};
  Range steps = split_range((depth / 128 + kWarpsK - 1) / kWarpsK, blockIdx.z, gridDim.z);
  Copies copies(m, steps.begin);
  int left = steps.end - steps.begin;
  for (int i = 0; i < kStages - 1; ++i) {
    if (i < left) copies.next(arena + i * kStageBytes);
    commit_copies();
  }
  u8 *stage = arena, *refilled = arena + (kStages - 1) * kStageBytes;
  for (; left > 0; --left) {
    wait_copies<kStages - 2>();
    __syncthreads();  // the step has landed for all, and all have left the stage that is filled next
    if (left > kStages - 1) copies.next(refilled);
    commit_copies();
    multiply_step(sums, stage);
    refilled = stage;
    stage = stage == arena + (kStages - 1) * kStageBytes ? arena : stage + kStageBytes;
  }
  wait_copies<0>();
  __syncthreads();
  store_sums(sums, arena, c, partial, m);
}
