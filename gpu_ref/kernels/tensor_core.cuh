// Every PTX instruction that the kernels use, one named function each. FP16 pairs travel as u32, so no CUDA header is needed.
// Under g++ the same names come from gpu_ref/host, which carries them out on a CPU.
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifndef __CUDACC__
#include "host/cuda.hpp"
#else
#define DEVICE __device__ __forceinline__
#define SHARED_ARENA(name) extern __shared__ __align__(1024) u8 name[]

DEVICE u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// --- Copies from global to shared memory that run beside the arithmetic (sm_80). `valid` false writes zeros.
DEVICE void copy16_async(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
DEVICE void copy8_async(void* to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 8 : 0) : "memory");
}
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory"); }

// --- Shared memory, 16 bytes a lane.
DEVICE void store_shared16(void* to, const u32* v) {
  asm volatile("st.shared.v4.b32 [%0], {%1,%2,%3,%4};" ::"r"(shared_address(to)), "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]) : "memory");
}
DEVICE void load_shared16(u32* v, const void* from) {
  asm volatile("ld.shared.v4.b32 {%0,%1,%2,%3}, [%4];" : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(shared_address(from)) : "memory");
}
// Eight bytes a lane.
DEVICE void load_shared8(u32* v, const void* from) {
  u64 both = *(const volatile u64*)from;
  v[0] = (u32)both, v[1] = (u32)(both >> 32);
}
// One value a lane, of 2, 4 or 8 bytes; the host counts the banks they meet in.
template <class Value>
DEVICE Value load_shared(const Value* from) { return *from; }
template <class Value>
DEVICE void store_shared(Value* to, Value v) { *to = v; }
// Four 8 x 8 matrices of 16-bit values; lane l names row l % 8 of matrix l / 8.
DEVICE void load_matrices(u32* v, const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(shared_address(row)) : "memory");
}
DEVICE void load_matrices_transposed(u32* v, const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(shared_address(row)) : "memory");
}

// --- Products of one warp: d[16 x 8] += a[16 x k] b[k x 8]. Lane 4 g + t holds, in 32-bit words along k,
//     a: (row g, word t) (g + 8, t) (g, t + 4) (g + 8, t + 4)    b: (word t, column g) (t + 4, g)
//     d: (g, 2 t) (g, 2 t + 1) (g + 8, 2 t) (g + 8, 2 t + 1)
#define WARP_PRODUCT(name, type, constraint, spec)                                                                       \
  DEVICE void name(type* d, const u32* a, const u32* b) {                                                                \
    asm volatile("mma.sync.aligned." spec " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                       \
                 : "+" constraint(d[0]), "+" constraint(d[1]), "+" constraint(d[2]), "+" constraint(d[3])                \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                                    \
  }
WARP_PRODUCT(multiply_f16, float, "f", "m16n8k16.row.col.f32.f16.f16.f32")
WARP_PRODUCT(multiply_s8, int, "r", "m16n8k32.row.col.s32.s8.s8.s32")
WARP_PRODUCT(multiply_u8s8, int, "r", "m16n8k32.row.col.s32.u8.s8.s32")
WARP_PRODUCT(multiply_b1_and, int, "r", "m16n8k256.row.col.s32.b1.b1.s32.and.popc")
#if __CUDA_ARCH__ >= 890
WARP_PRODUCT(multiply_e4m3, float, "f", "m16n8k32.row.col.f32.e4m3.e4m3.f32")
#endif

// --- Arithmetic on FP16 pairs.
DEVICE u32 half2_subtract(u32 a, u32 b) { u32 d; asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b)); return d; }
DEVICE u32 half2_multiply(u32 a, u32 b) { u32 d; asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b)); return d; }
DEVICE u32 half2_fma(u32 a, u32 b, u32 c) { u32 d; asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c)); return d; }
DEVICE float half_to_float(u16 h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h)); return f; }
DEVICE u16 float_to_half(float f) { u16 h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f)); return h; }
// (a & mask) | bits in one instruction.
DEVICE u32 and_or(u32 a, u32 mask, u32 bits) { u32 d; asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(d) : "r"(a), "r"(mask), "r"(bits)); return d; }
// Hides where a value came from: what is computed from it is computed here, and holds no registers from before.
DEVICE void compute_anew_from(u32& v) { asm volatile("" : "+r"(v)); }
DEVICE u32 shuffle_xor(u32 v, int lanes) { return __shfl_xor_sync(0xffffffffu, v, lanes); }

#if __CUDA_ARCH_FEAT_SM90_ALL
#include "warpgroup.cuh"
#endif
#endif
