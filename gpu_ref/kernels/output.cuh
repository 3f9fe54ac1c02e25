// The end of every product: sums of one block to results, or to a workspace where K is split over blocks.
#pragma once
#include "tensor_core.cuh"

#if OUTPUT_F16
typedef u16 Output;
DEVICE Output to_output(float sum) { return float_to_half(sum); }
#else
typedef float Output;
DEVICE Output to_output(float sum) { return sum; }
#endif

// Values side by side, moved together.
template <class Value, int kCount>
struct __align__(kCount * sizeof(Value)) Row { Value v[kCount]; };

struct Range { int begin, end; };
// The share of `count` steps that split `index` of `splits` takes.
DEVICE Range split_range(int count, int index, int splits) { return {count * index / splits, count * (index + 1) / splits}; }

// partial[split][i] -> sum over the splits, in order, so that the result does not depend on timing.
template <class Sum>
DEVICE Sum sum_of_splits(const Sum* partial, u64 count, u64 i, int splits) {
  Sum sum = partial[i];
  for (int split = 1; split < splits; ++split) sum += partial[split * count + i];
  return sum;
}
