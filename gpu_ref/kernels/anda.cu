// Anda from encoded planes: activations are read at (M + 1 + 8/64) bits a value. From sm_80. Frame: anda_product.cuh.
#include "anda_product.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 256 / kThreads)
anda(const u8* rows, const u8* exponents, const u8* codes, const u8* scales, const u8* zeros, Output* c, int tokens,
     int columns, int depth) {
  Rows at{(int)blockIdx.y * kTokens, tokens, depth / 64};
  anda_product(FromPlanes<kTokens, kGroups, kThreads>(rows, exponents, at), {codes, scales, zeros, columns, depth / 64}, c, at);
}
