// Anda from FP16: every block encodes what it multiplies. From sm_80. Frame: anda_product.cuh.
#include "anda_product.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 256 / kThreads)
anda_fp16(const u8* values, const u8* codes, const u8* scales, const u8* zeros, Output* c, int tokens, int columns,
          int depth) {
  Rows at{(int)blockIdx.y * kTokens, tokens, depth / 64};
  anda_product(FromFp16<kTokens, kGroups, kThreads>(values, at), {codes, scales, zeros, columns, depth / 64}, c, at);
}
