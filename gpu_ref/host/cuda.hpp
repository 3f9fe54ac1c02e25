// The names of kernels/tensor_core.cuh and of CUDA C++ for g++.
#pragma once
#define DEVICE inline
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __restrict__
#include "block.hpp"
#include "memory.hpp"
#include "warp.hpp"
#include "warpgroup.hpp"

inline u32 half_pair(u32 a, u32 b, u32 c, double (*f)(double, double, double)) {
  u32 d = 0;
  for (int shift = 0; shift < 32; shift += 16)
    d |= (u32)host::half_bits(f(host::half_value(a >> shift), host::half_value(b >> shift), host::half_value(c >> shift))) << shift;
  return d;
}
inline u32 half2_subtract(u32 a, u32 b) { return half_pair(a, b, 0, [](double x, double y, double) { return x - y; }); }
inline u32 half2_multiply(u32 a, u32 b) { return half_pair(a, b, 0, [](double x, double y, double) { return x * y; }); }
inline u32 half2_fma(u32 a, u32 b, u32 c) { return half_pair(a, b, c, [](double x, double y, double z) { return x * y + z; }); }
inline float half_to_float(u16 h) { return host::half_value(h); }
inline u16 float_to_half(float f) { return host::half_bits(f); }
inline void compute_anew_from(u32&) {}
inline u32 and_or(u32 a, u32 mask, u32 bits) { return (a & mask) | bits; }

// Compiled with -ffp-contract=off, so that these round once each, as the intrinsics do.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __int2float_rn(int i) { return (float)i; }
inline int __float2int_rn(float f) { return (int)__builtin_nearbyintf(f); }
inline u32 __float_as_uint(float f) { u32 u; memcpy(&u, &f, 4); return u; }
inline float __uint_as_float(u32 u) { float f; memcpy(&f, &u, 4); return f; }
inline float fabsf(float f) { return __builtin_fabsf(f); }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

// extern "C" entry of a kernel: arguments as the CUDA driver takes them, an array of pointers to values.
namespace host {
template <auto kKernel> struct Entry;
template <class... Types, void (*kKernel)(Types...)>
struct Entry<kKernel> {
  template <int... kIndex>
  static void call(void** arguments, std::integer_sequence<int, kIndex...>) { kKernel(*(Types*)arguments[kIndex]...); }
  static void body(void** arguments) { call(arguments, std::make_integer_sequence<int, sizeof...(Types)>()); }
  static constexpr int kArguments = sizeof...(Types);
};
}  // namespace host
#define HOST_EXPORT extern "C" __attribute__((visibility("default")))
#define HOST_ENTRY(kernel)                                                                                                   \
  HOST_EXPORT int launch_##kernel(void** arguments, int count, const u32* grid, int threads, int shared_bytes, int order) {    \
    using Entry = host::Entry<&kernel>;                                                                                      \
    if (count != Entry::kArguments) return host::run.error = "wrong number of arguments", 1;                                 \
    return host::launch(Entry::body, arguments, {grid[0], grid[1], grid[2]}, threads, shared_bytes, order);                   \
  }
HOST_EXPORT const char* host_error() { return host::run.error.c_str(); }
HOST_EXPORT void host_counts(long* out) {
  for (int kind = 0; kind < host::kAccessKinds; ++kind) {
    out[2 * kind] = host::run.phases[kind], out[2 * kind + 1] = host::run.cycles[kind];
  }
}
