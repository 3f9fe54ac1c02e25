// Anda from encoded planes by warpgroup products. sm_90a only. Frame: anda_wgmma.cuh.
#include "anda_wgmma.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 1)
anda_wgmma(const u8* rows, const u8* exponents, const u8* codes, const u8* scales, const u8* zeros, Output* c, int tokens,
           int columns, int depth) {
  Rows at{(int)blockIdx.y * kTokens, tokens, depth / 64};
  anda_wgmma_product(FromPlanes<kTokens, kGroups, kThreads>(rows, exponents, at), {codes, scales, zeros, columns, depth / 64}, c, at);
}
