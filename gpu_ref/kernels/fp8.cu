// C[tokens, columns] = A E4M3 * B E4M3, FP32 sums. From sm_89; on sm_90 the compiler emulates it with FP16 products, so there
// fp8_wgmma.cu is the one to use. Frame: bytes_product.cuh.
#include "bytes_product.cuh"

extern "C" __global__ void __launch_bounds__(kThreads)
fp8(const u8* a, const u8* b, Output* c, float* partial, int tokens, int columns, int depth) {
  SHARED_ARENA(arena);
  multiply_bytes<float, multiply_e4m3>({a, b, tokens, columns, depth}, arena, [=](int token, int column, float sum) {
    u64 at = (u64)token * columns + column;
    if (gridDim.z == 1) c[at] = to_output(sum);
    else partial[(u64)blockIdx.z * tokens * columns + at] = sum;
  });
}
