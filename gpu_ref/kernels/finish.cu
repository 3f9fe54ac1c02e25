// Adds the partial sums of blocks that split K: split 0, 1, ... in order, so that the result does not depend on timing. From sm_80.
#include "output.cuh"

extern "C" __global__ void finish_f32(const float* partial, Output* c, int tokens, int columns, int splits) {
  u64 count = (u64)tokens * columns, i = (u64)blockIdx.x * 256 + threadIdx.x;
  if (i < count) c[i] = to_output(sum_of_splits(partial, count, i, splits));
}

extern "C" __global__ void finish_s32(const int* partial, int* c, int tokens, int columns, int splits) {
  u64 count = (u64)tokens * columns, i = (u64)blockIdx.x * 256 + threadIdx.x;
  if (i < count) c[i] = sum_of_splits(partial, count, i, splits);
}
