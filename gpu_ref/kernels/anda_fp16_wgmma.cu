// Anda from FP16, encoded by every block, by warpgroup products. sm_90a only. Frame: anda_wgmma.cuh.
#include "anda_wgmma.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 1)
anda_fp16_wgmma(const u8* values, const u8* codes, const u8* scales, const u8* zeros, Output* c, int tokens, int columns,
                int depth) {
  Rows at{(int)blockIdx.y * kTokens, tokens, depth / 64};
  anda_wgmma_product(FromFp16<kTokens, kGroups, kThreads>(values, at), {codes, scales, zeros, columns, depth / 64}, c, at);
}
