// Anda from FP16, encoded by every block, by warpgroup products. sm_90a only. Frame: anda_wgmma.cuh.
#include "anda_wgmma.cuh"

extern "C" __global__ void __launch_bounds__(kThreads, 1)
anda_fp16_wgmma(const u8* values, const uint4* codes, const uint4* scales, const uint4* zeros, Output* c, int tokens, int columns,
                int depth) {
  anda_wgmma_product(FromFp16{values}, {codes, scales, zeros, columns, depth / 64}, c, tokens);
}
