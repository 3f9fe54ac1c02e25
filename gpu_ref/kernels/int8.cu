// C[tokens, columns] s32 = A s8 * B s8, exact. From sm_80. Frame: bytes_product.cuh.
#include "bytes_product.cuh"

extern "C" __global__ void __launch_bounds__(kThreads)
int8(const u8* a, const u8* b, int* c, int* partial, int tokens, int columns, int depth) {
  SHARED_ARENA(arena);
  int* to = gridDim.z == 1 ? c : partial + (u64)blockIdx.z * tokens * columns;
  multiply_bytes<int, multiply_s8>({a, b, tokens, columns, depth}, arena,
                                   [=](int token, int column, int sum) { to[(u64)token * columns + column] = sum; });
}
