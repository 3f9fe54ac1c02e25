// Anda from FP16: every block encodes what it multiplies. From sm_80. Frame: anda_product.cuh.
#include "anda_product.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 256 / kThreads)
anda_fp16(const u8* values, const uint4* codes, const uint4* scales, const uint4* zeros, Output* c, int tokens, int columns,
          int depth) {
  anda_product(FromFp16{values}, {codes, scales, zeros, columns, depth / 64}, c, tokens);
}
