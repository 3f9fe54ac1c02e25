// Anda from encoded planes: activations are read at (M + 1 + 8/64) bits a value. From sm_80. Frame: anda_product.cuh.
#include "anda_product.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 256 / kThreads)
anda(const u64* rows, const u8* exponents, const uint4* codes, const uint4* scales, const uint4* zeros, Output* c, int tokens,
     int columns, int depth) {
  anda_product(FromPlanes{rows, exponents}, {codes, scales, zeros, columns, depth / 64}, c, tokens);
}
