// Warpgroup products (wgmma, sm_90a): 128 threads issue together, results land at the wait.
// Shared memory is read at the issue in odd orders and at the wait in even ones; a correct kernel cannot tell.
#pragma once
#include "warp.hpp"

namespace host {

struct Product {
  int columns;
  bool accumulate;
  u64 descriptor;
  u32 a[128][4];
  void* d[128];
  std::vector<double> sums;  // 64 x columns
  void (*compute)(Product&);
  void (*deliver)(Product&);
};

struct Warpgroup {
  Meeting meeting;
  std::vector<std::unique_ptr<Product>> open;
  std::vector<std::vector<std::unique_ptr<Product>>> in_flight;
  std::unique_ptr<Product> next;
  bool fenced[128] = {};
};

inline Warpgroup& warpgroup() {
  static std::vector<Warpgroup> groups;
  static unsigned serial = 0;
  if (serial != run.serial) groups = std::vector<Warpgroup>(run.threads.size() / 128), serial = run.serial;
  return groups[thread_number() / 128];
}

// A K-major operand in 128-byte rows whose 16-byte chunks are exchanged by row % 8 (PTX, "128-Byte swizzling").
inline u32 operand_word(u64 descriptor, int row, int byte) {
  u64 start = (descriptor & 0x3fff) << 4, stride = (descriptor >> 32 & 0x3fff) << 4;
  if (descriptor >> 62 != 1 || stride != 1024) fail("wgmma: only 128-byte swizzling of dense rows is modelled");
  u64 address = start + row / 8 * stride + row % 8 * 128 + byte;
  address ^= (address >> 7 & 7) << 4;
  if (address + 4 > run.arena_bytes) fail("wgmma: operand outside shared memory");
  u32 word;
  memcpy(&word, run.arena + address, 4);
  return word;
}

template <class A, class B>
void compute(Product& product) {
  constexpr int kDepth = 8 * A::kCount;
  std::vector<double> right(product.columns * kDepth);
  for (int n = 0; n < product.columns; ++n)
    for (int word = 0; word < 8; ++word)
      for (int i = 0; i < B::kCount; ++i)
        right[n * kDepth + word * B::kCount + i] = B::value(operand_word(product.descriptor, n, 4 * word), i);
  product.sums.assign(64 * product.columns, 0);
  for (int row = 0; row < 64; ++row) {
    double left[kDepth];
    for (int word = 0; word < 8; ++word)
      for (int i = 0; i < A::kCount; ++i)
        left[word * A::kCount + i] = A::value(product.a[row / 16 * 32 + row % 8 * 4 + word % 4][row % 16 / 8 + 2 * (word / 4)], i);
    for (int n = 0; n < product.columns; ++n)
      for (int k = 0; k < kDepth; ++k) product.sums[row * product.columns + n] += left[k] * right[n * kDepth + k];
  }
}

template <class Sum>
void deliver(Product& product) {
  for (int thread = 0; thread < 128; ++thread)
    for (int i = 0; i < product.columns / 2; ++i) {
      int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i % 4 / 2), column = i / 4 * 8 + thread % 4 * 2 + i % 2;
      Sum& d = ((Sum*)product.d[thread])[i];
      d = (Sum)((product.accumulate ? (double)d : 0.0) + product.sums[row * product.columns + column]);
    }
}

template <class A, class B, class Sum>
void issue(const char* operation, int columns, Sum* d, const u32* a, u64 descriptor, bool accumulate) {
  Warpgroup& group = warpgroup();
  int index = thread_number() % 128;
  if (!group.fenced[index]) fail("%s: registers were not fenced since the last wait (warpgroup_fence)", operation);
  if (!group.next) group.next.reset(new Product{columns, accumulate, descriptor, {}, {}, {}, compute<A, B>, deliver<Sum>});
  if (group.next->descriptor != descriptor || group.next->accumulate != accumulate) fail("%s: threads differ in their descriptor", operation);
  memcpy(group.next->a[index], a, 16);
  group.next->d[index] = d;
  meet(group.meeting, 128, operation, [&] {
    for (Thread& thread : run.threads)
      if (thread.unfenced) fail("%s reads shared memory written without async_proxy_fence", operation);
    if (run.order % 2) group.next->compute(*group.next);
    group.open.push_back(std::move(group.next));
  });
}

}  // namespace host

#define HOST_WARPGROUP(name, A, B, Sum)                                                                   \
  template <int kColumns>                                                                                 \
  void name(Sum* d, const u32* a, u64 descriptor, bool accumulate) {                                      \
    host::issue<host::A, host::B>(#name, kColumns, d, a, descriptor, accumulate);                         \
  }
HOST_WARPGROUP(warpgroup_multiply_f16, F16, F16, float)
HOST_WARPGROUP(warpgroup_multiply_s8, S8, S8, int)
HOST_WARPGROUP(warpgroup_multiply_s8u8, S8, U8, int)
HOST_WARPGROUP(warpgroup_multiply_e4m3, E4M3, E4M3, float)

inline void async_proxy_fence() { host::run.current->unfenced = false; }
inline void warpgroup_fence() { host::warpgroup().fenced[host::thread_number() % 128] = true; }
inline void warpgroup_commit() {
  host::Warpgroup& group = host::warpgroup();
  host::meet(group.meeting, 128, "warpgroup_commit", [&] { group.in_flight.push_back(std::move(group.open)), group.open.clear(); });
}
template <int kPending>
void warpgroup_wait() {
  host::Warpgroup& group = host::warpgroup();
  host::meet(group.meeting, 128, "warpgroup_wait", [&] {
    while (group.in_flight.size() > kPending) {
      for (auto& product : group.in_flight.front()) {
        if (product->sums.empty()) product->compute(*product);
        product->deliver(*product);
      }
      group.in_flight.erase(group.in_flight.begin());
    }
    if (!kPending) memset(group.fenced, 0, sizeof group.fenced);
  });
}
