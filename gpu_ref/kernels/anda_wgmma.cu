// Anda from encoded planes by warpgroup products. sm_90a only. Frame: anda_wgmma.cuh.
#include "anda_wgmma.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 1)
anda_wgmma(const u64* rows, const u8* exponents, const uint4* codes, const uint4* scales, const uint4* zeros, Output* c, int tokens,
           int columns, int depth) {
  anda_wgmma_product(FromPlanes{rows, exponents}, {codes, scales, zeros, columns, depth / 64}, c, tokens);
}
