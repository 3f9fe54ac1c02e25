/* cuBLAS as gpu_ref/cublas.py calls it: checks what it is given, then hands the product to strict/cupy.py. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef int (*Gemm)(uint64_t stream, int has_workspace, int m, int n, int k, uint64_t a, uint64_t b, uint64_t c);
typedef struct { uint64_t stream; void* workspace; } Handle;
static Gemm connected;
enum { INVALID = 7 };

void strict_connect(Gemm gemm) { connected = gemm; }
int cublasCreate_v2(Handle** handle) { return *handle = calloc(1, sizeof(Handle)), 0; }
int cublasSetStream_v2(Handle* handle, void* stream) { return handle->stream = (uint64_t)stream, handle->workspace = 0, 0; }
int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) {
  if (!workspace || (uint64_t)workspace % 16 || bytes < 4194304) return INVALID;
  return handle->workspace = workspace, 0;
}
int cublasGetVersion_v2(Handle* handle, int* version) { return *version = 130002, 0; }
int cublasGemmEx(Handle* handle, int transposed_a, int transposed_b, int m, int n, int k, const float* alpha, const void* a, int type_a,
                 int lda, const void* b, int type_b, int ldb, const float* beta, void* c, int type_c, int ldc, int compute, int algorithm) {
  if (transposed_a != 1 || transposed_b != 0 || *alpha != 1 || *beta != 0) return INVALID;
  if (type_a != 2 || type_b != 2 || type_c != 2 || compute != 68 || algorithm != -1) return INVALID;
  if (lda < k || ldb < k || ldc < m) return INVALID;
  return connected(handle->stream, handle->workspace != 0, m, n, k, (uint64_t)a, (uint64_t)b, (uint64_t)c);
}
