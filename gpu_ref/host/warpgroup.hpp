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
  const u32* a_from[128];
  void* d[128];
  std::vector<u32> d_was[128];
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

// The descriptor of a K-major operand in dense 128-byte rows whose 16-byte chunks are exchanged by row % 8, all but its start
// address (PTX, "Matrix-descriptor format"):
//     16 .. 29  leading dimension, in 16 bytes: 1, as it is not used with swizzling
//     32 .. 45  stride from 8 rows to the next 8, in 16 bytes
//     49 .. 51  base offset: 0, as atoms begin at multiples of 1024 bytes
//     62 .. 63  1: swizzling of 128 bytes          all others 0
constexpr u64 kAtomBytes = 8 * 128;
constexpr u64 kOperandDescriptor = (u64)1 << 16 | kAtomBytes / 16 << 32 | (u64)0 << 49 | (u64)1 << 62;

inline u32 operand_word(u64 descriptor, int row, int byte) {
  u64 start = (descriptor & 0x3fff) << 4;
  if ((descriptor ^ kOperandDescriptor) >> 14) fail("wgmma: descriptor %016llx, where %016llx and an address were expected", descriptor, kOperandDescriptor);
  if (start % kAtomBytes >= 128) fail("wgmma: an operand that begins %llu bytes into an atom", start % kAtomBytes);
  u64 address = start + row / 8 * kAtomBytes + row % 8 * 128 + byte;
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

// Registers belong to the products from their issue to their wait.
inline void check_registers(const Product& product) {
  for (int thread = 0; thread < 128; ++thread) {
    if (memcmp(product.a_from[thread], product.a[thread], 16)) fail("wgmma: operand a of thread %d changed before the wait", thread);
    if (memcmp(product.d[thread], product.d_was[thread].data(), 4 * product.d_was[thread].size()))
      fail("wgmma: sums of thread %d changed before the wait", thread);
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
  if (!group.next) group.next.reset(new Product{columns, accumulate, descriptor, {}, {}, {}, {}, {}, compute<A, B>, deliver<Sum>});
  if (group.next->descriptor != descriptor || group.next->accumulate != accumulate) fail("%s: threads differ in their descriptor", operation);
  memcpy(group.next->a[index], a, 16);
  group.next->a_from[index] = a;
  group.next->d[index] = d;
  group.next->d_was[index].assign((const u32*)d, (const u32*)d + columns / 2);
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
    for (auto& products : group.in_flight)
      for (auto& product : products) host::check_registers(*product);
    while (group.in_flight.size() > kPending) {
      for (auto& product : group.in_flight.front()) {
        if (product->sums.empty()) product->compute(*product);
        product->deliver(*product);
      }
      group.in_flight.erase(group.in_flight.begin());
    }
    for (auto& products : group.in_flight)
      for (auto& product : products)
        for (int i = 0; i < 128; ++i) memcpy(product->d_was[i].data(), product->d[i], 4 * product->d_was[i].size());
    if (!kPending) memset(group.fenced, 0, sizeof group.fenced);
  });
}
