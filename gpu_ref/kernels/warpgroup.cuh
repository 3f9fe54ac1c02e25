// Warpgroup products (wgmma, sm_90a): 128 threads multiply a (64 x k, registers) by b (k x kColumns, shared memory).
// Warp w holds rows 16 w .. 16 w + 15 of a as for the products of a warp; d[4 j + i] is element i of columns 8 j .. 8 j + 7.
#pragma once

// Registers must not be touched between the fence and the wait.
DEVICE void warpgroup_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void warpgroup_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending>
DEVICE void warpgroup_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory"); }
// Ordinary and cp.async writes become visible to wgmma's reads; then a barrier.
DEVICE void async_proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#define NAMES8 "%0,%1,%2,%3,%4,%5,%6,%7"
#define NAMES16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define NAMES32 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define NAMES64 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define D4(c, i) "+" c(d[i]), "+" c(d[i + 1]), "+" c(d[i + 2]), "+" c(d[i + 3])
#define D8(c, i) D4(c, i), D4(c, i + 4)
#define D16(c, i) D8(c, i), D8(c, i + 8)
#define D32(c, i) D16(c, i), D16(c, i + 16)
#define D64(c, i) D32(c, i), D32(c, i + 32)

#define WARPGROUP_WIDTH(name, type, c, columns, depth, types, registers, a0, a1, a2, a3, b, flag, extra)               \
  template <>                                                                                                          \
  DEVICE void name<columns>(type* d, const u32* a, u64 descriptor, bool accumulate) {                                  \
    asm volatile("{.reg .pred p; setp.ne.b32 p, " flag ", 0; wgmma.mma_async.sync.aligned.m64n" #columns "k" depth     \
                 "." types " {" NAMES##registers "}, {" a0 "," a1 "," a2 "," a3 "}, " b ", p" extra ";}"               \
                 : D##registers(c, 0)                                                                                  \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(descriptor), "r"((int)accumulate));                 \
  }
#define WARPGROUP_PRODUCT(name, type, c, depth, types, extra)                                                          \
  template <int kColumns>                                                                                              \
  DEVICE void name(type* d, const u32* a, u64 descriptor, bool accumulate);                                            \
  WARPGROUP_WIDTH(name, type, c, 16, depth, types, 8, "%8", "%9", "%10", "%11", "%12", "%13", extra) \
  WARPGROUP_WIDTH(name, type, c, 32, depth, types, 16, "%16", "%17", "%18", "%19", "%20", "%21", extra) \
  WARPGROUP_WIDTH(name, type, c, 64, depth, types, 32, "%32", "%33", "%34", "%35", "%36", "%37", extra) \
  WARPGROUP_WIDTH(name, type, c, 128, depth, types, 64, "%64", "%65", "%66", "%67", "%68", "%69", extra)

WARPGROUP_PRODUCT(warpgroup_multiply_f16, float, "f", "16", "f32.f16.f16", ", 1, 1, 0")
WARPGROUP_PRODUCT(warpgroup_multiply_s8, int, "r", "32", "s32.s8.s8", "")
WARPGROUP_PRODUCT(warpgroup_multiply_s8u8, int, "r", "32", "s32.s8.u8", "")
WARPGROUP_PRODUCT(warpgroup_multiply_e4m3, float, "f", "32", "f32.e4m3.e4m3", ", 1, 1")
