// LLM.int8() (Dettmers et al., 2022): C = scales * (X8 W8^T) + X16 W16^T over the outlier columns. From sm_80.
//
//   find_outliers   columns of X with any |x| >= 6.0                        outlier[k] = 1
//   list_outliers   their indices, ascending                                 list[0] = count, list[1 ...]
//   quantise_rows   x8 = round(x * 127 / max |x| of the row), outliers 0    row scale = max |x| / 127
//   llm_int8        s32 sums, exact; then in FP32, each operation rounded once:
//                   c = fl(sum * fl(row scale * column scale)), then + fl(x * w) for every outlier column in ascending order,
//                   with x FP16 and w = fl16(w8 * column scale): the weights are kept in 8 bits only
#include "bytes_product.cuh"

constexpr float kThreshold = 6.0f;

extern "C" __global__ void find_outliers(const u16* x, u8* outlier, int tokens, int depth) {
  int k = blockIdx.x * 128 + threadIdx.x;
  if (k >= depth) return;
  bool found = false;
  for (int token = 0; token < tokens; ++token) found |= fabsf(half_to_float(x[(u64)token * depth + k])) >= kThreshold;
  outlier[k] = found;
}

// One block of 128: each thread counts its share, then writes from where those before it end.
extern "C" __global__ void list_outliers(const u8* outlier, int* list, int depth) {
  SHARED_ARENA(arena);
  int* counts = (int*)arena;
  Range mine = split_range(depth, threadIdx.x, 128);
  int count = 0;
  for (int k = mine.begin; k < mine.end; ++k) count += outlier[k];
  store_shared(counts + threadIdx.x, count);
  __syncthreads();
  int at = 1, total = 0;
  for (int i = 0; i < 128; ++i) {
    int other = load_shared(counts + i);
    at += i < (int)threadIdx.x ? other : 0;
    total += other;
  }
  for (int k = mine.begin; k < mine.end; ++k)
    if (outlier[k]) list[at++] = k;
  if (threadIdx.x == 0) list[0] = total;
}

// One block of 128 a row.
extern "C" __global__ void quantise_rows(const u16* x, const u8* outlier, u8* codes, float* scales, int depth) {
  SHARED_ARENA(arena);
  u32* peaks = (u32*)arena;
  const u16* row = x + (u64)blockIdx.x * depth;
  u32 peak = 0;  // magnitudes of floats order like their bits
  for (int k = threadIdx.x; k < depth; k += 128)
    if (!outlier[k]) peak = max(peak, __float_as_uint(fabsf(half_to_float(row[k]))));
  for (int lanes = 16; lanes; lanes /= 2) peak = max(peak, shuffle_xor(peak, lanes));
  if (threadIdx.x % 32 == 0) store_shared(peaks + threadIdx.x / 32, peak);
  __syncthreads();
  for (int warp = 0; warp < 4; ++warp) peak = max(peak, load_shared(peaks + warp));
  float largest = __uint_as_float(peak);
  float factor = largest > 0 ? __fdiv_rn(127.0f, largest) : 0.0f;
  for (int k = threadIdx.x; k < depth; k += 128)
    codes[(u64)blockIdx.x * depth + k] = outlier[k] ? 0 : (u8)__float2int_rn(__fmul_rn(half_to_float(row[k]), factor));
  if (threadIdx.x == 0) scales[blockIdx.x] = __fdiv_rn(largest, 127.0f);
}

struct Outliers {
  const u16* x;
  const u8* weights;
  const float *row_scales, *column_scales;
  const int* list;
  int depth;
};

DEVICE float finished(int sum, int token, int column, const Outliers& o) {
  float c = __fmul_rn(__int2float_rn(sum), __fmul_rn(o.row_scales[token], o.column_scales[column]));
  for (int i = 1; i <= o.list[0]; ++i) {
    float code = __int2float_rn((signed char)o.weights[(u64)column * o.depth + o.list[i]]);
    float weight = half_to_float(float_to_half(__fmul_rn(code, o.column_scales[column])));
    c = __fadd_rn(c, __fmul_rn(half_to_float(o.x[(u64)token * o.depth + o.list[i]]), weight));
  }
  return c;
}

extern "C" __global__ void __launch_bounds__(kThreads)
llm_int8(const u16* x, const u8* codes, const u8* weights, const float* row_scales, const float* column_scales, const int* list,
         Output* c, int* partial, int tokens, int columns, int depth) {
  SHARED_ARENA(arena);
  Outliers outliers{x, weights, row_scales, column_scales, list, depth};
  multiply_bytes<int, multiply_s8>({codes, weights, tokens, columns, depth}, arena, [=](int token, int column, int sum) {
    u64 at = (u64)token * columns + column;
    if (gridDim.z == 1) c[at] = to_output(finished(sum, token, column, outliers));
    else partial[(u64)blockIdx.z * tokens * columns + at] = sum;
  });
}

extern "C" __global__ void finish_llm_int8(const u16* x, const u8* weights, const float* row_scales, const float* column_scales,
                                           const int* list, const int* partial, Output* c, int tokens, int columns, int depth,
                                           int splits) {
  u64 count = (u64)tokens * columns, i = (u64)blockIdx.x * 256 + threadIdx.x;
  if (i >= count) return;
  int sum = sum_of_splits(partial, count, i, splits);
  c[i] = to_output(finished(sum, i / columns, i % columns, {x, weights, row_scales, column_scales, list, depth}));
}
