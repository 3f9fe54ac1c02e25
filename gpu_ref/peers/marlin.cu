// MARLIN (Frantar et al. 2024, Apache-2.0) as a plain C function; compiled by nvcc beside its own source.
#include "marlin_cuda_kernel.cu"

extern "C" int marlin_multiply(const void* a, const void* codes, void* c, void* scales, int tokens, int columns, int depth, void* locks,
                               cudaStream_t stream) {
  return marlin_cuda(a, codes, c, scales, tokens, columns, depth, locks, 128, 0, stream);
}
