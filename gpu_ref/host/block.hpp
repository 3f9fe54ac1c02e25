// One block of CUDA threads on one CPU thread. Every thread is a fiber that runs until it must wait for others.
//
//   order 0 ascending, 1 descending, 2 and up shuffled anew in every pass: results that depend on it are a race
//   nothing can run and threads are left: a deadlock, reported with where they wait
//   an access outside a buffer meets a guard page: reported, not fatal
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

struct uint4 { u32 x, y, z, w; };
struct uint2 { u32 x, y; };
struct Index { u32 x, y, z; };

namespace host {

constexpr int kStackBytes = 128 * 1024;
constexpr int kAccessKinds = 7;
enum Access { kMatrices, kStore16, kLoad16, kStore8, kLoad8, kStore4, kLoad4 };
// 16, 8 or up to 4 bytes a lane: 8, 16 or 32 lanes a phase, over as many groups of the 128 bytes that all banks hold.
constexpr int access_shift(int kind) { return kind <= kLoad16 ? 4 : kind <= kLoad8 ? 3 : 2; }

struct Copy { void* to; const void* from; int bytes; bool valid; };

struct Thread {
  ucontext_t start;
  jmp_buf resume;
  bool started = false, done = false;
  const unsigned* waiting = nullptr;  // a generation that must move on from `seen`
  unsigned seen = 0;
  const char* where = "";
  std::vector<Copy> open;                   // copies not yet committed
  std::vector<std::vector<Copy>> in_flight;  // committed, oldest first: they land at their wait, not sooner
  bool unfenced = false;                    // wrote shared memory that the async proxy may not see yet
  std::vector<u64> accesses[kAccessKinds];  // addresses, in the order of this thread
};

struct Meeting { int arrived = 0; unsigned generation = 0; const char* operation = nullptr; };

struct Warp { Meeting meeting; u32 in[32][12]; u32 out[32][4]; };

struct Run {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<char> stacks;
  Meeting barrier;
  jmp_buf scheduler;
  Thread* current = nullptr;
  Index block{}, grid{};
  unsigned serial = 0;  // of the block, over all launches
  int order = 0;
  u8* arena = nullptr;
  u64 arena_bytes = 0;
  std::string error;
  long phases[kAccessKinds] = {}, cycles[kAccessKinds] = {};
  void (*body)(void**) = nullptr;
  void** arguments = nullptr;
};
inline Run run;

inline int thread_number() { return run.current - run.threads.data(); }
inline int lane() { return thread_number() % 32; }
inline Warp& warp() { return run.warps[thread_number() / 32]; }

[[noreturn]] inline void fail(const char* format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  run.error = text;
  _longjmp(run.scheduler, 2);
}

inline void pause(const unsigned* generation, const char* where) {
  Thread& self = *run.current;
  self.waiting = generation, self.seen = *generation, self.where = where;
  if (!_setjmp(self.resume)) _longjmp(run.scheduler, 1);
}

// The last of `needed` threads does the work for all; the others wait for it.
template <class Work>
void meet(Meeting& meeting, int needed, const char* operation, Work work) {
  if (meeting.arrived && strcmp(meeting.operation, operation))
    fail("divergence in block (%u, %u, %u): one thread is at %s, another at %s", run.block.x, run.block.y, run.block.z,
         operation, meeting.operation);
  meeting.operation = operation;
  if (++meeting.arrived < needed) return pause(&meeting.generation, operation);
  meeting.arrived = 0;
  work();
  ++meeting.generation;
}

inline void enter() {
  run.body(run.arguments);
  run.current->done = true;
  _longjmp(run.scheduler, 1);
}

inline void resume(Thread& thread) {
  run.current = &thread;
  thread.waiting = nullptr;
  int back = _setjmp(run.scheduler);
  if (back) return;
  if (thread.started) _longjmp(thread.resume, 1);
  thread.started = true;
  setcontext(&thread.start);
}

inline std::string deadlock() {
  std::map<std::string, int> waiting;
  for (Thread& thread : run.threads) ++waiting[thread.done ? "have finished" : std::string("wait at ") + thread.where];
  std::string text = "deadlock: of " + std::to_string(run.threads.size()) + " threads";
  for (auto& [where, count] : waiting) text += ", " + std::to_string(count) + " " + where;
  return text;
}

// Lanes of a phase that want different words of one bank queue up; lanes that want the same one share it.
inline void count_phase(Access kind, const u64* addresses, int lanes) {
  const int shift = access_shift(kind), banks = 128 >> shift;
  std::vector<u64> words[32];
  size_t longest = 0;
  for (int i = 0; i < lanes; ++i) {
    auto& group = words[addresses[i] >> shift & (banks - 1)];
    bool known = false;
    for (u64 word : group) known |= word == addresses[i] >> shift;
    if (!known) group.push_back(addresses[i] >> shift);
    longest = group.size() > longest ? group.size() : longest;
  }
  ++run.phases[kind], run.cycles[kind] += longest;
}

inline void count_accesses() {
  for (int kind = 0; kind < kAccessKinds; ++kind)
    for (size_t first = 0, wide = 128 >> access_shift(kind); first < run.threads.size(); first += wide)
      for (size_t n = 0;; ++n) {
        u64 addresses[32];
        int lanes = 0;
        for (size_t i = first; i < first + wide; ++i)
          if (n < run.threads[i].accesses[kind].size()) addresses[lanes++] = run.threads[i].accesses[kind][n];
        if (!lanes) break;
        count_phase((Access)kind, addresses, lanes);
      }
}

inline bool run_block(int threads) {
  run.threads = std::vector<Thread>(threads);
  run.warps = std::vector<Warp>((threads + 31) / 32);
  run.barrier = {};
  ++run.serial;
  run.stacks.resize((size_t)threads * kStackBytes);
  memset(run.arena, 0xff, run.arena_bytes);  // NaN, or -1: what nobody has written must not look like data
  for (int i = 0; i < threads; ++i) {
    ucontext_t& start = run.threads[i].start;
    getcontext(&start);
    start.uc_stack.ss_sp = run.stacks.data() + (size_t)i * kStackBytes;
    start.uc_stack.ss_size = kStackBytes;
    makecontext(&start, enter, 0);
  }
  std::vector<int> order(threads);
  for (int i = 0; i < threads; ++i) order[i] = run.order == 1 ? threads - 1 - i : i;
  u64 random = 0x9e3779b97f4a7c15ull * (run.order + 1);
  for (;;) {
    bool moved = false, left = false;
    if (run.order >= 2)
      for (int i = threads - 1; i > 0; --i) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(order[i], order[(random >> 33) % (i + 1)]);
      }
    for (int i : order) {
      Thread& thread = run.threads[i];
      if (thread.done) continue;
      left = true;
      if (thread.waiting && *thread.waiting == thread.seen) continue;
      moved = true;
      resume(thread);
      if (!run.error.empty()) return false;
    }
    if (!left) break;
    if (!moved) return run.error = deadlock(), false;
  }
  count_accesses();
  return true;
}

// Memory with an unreadable page on either side; its end touches the upper one.
struct Guarded {
  u8* base;
  size_t mapped, page = sysconf(_SC_PAGESIZE);
  u8* memory;
  Guarded(size_t bytes, size_t alignment) {
    size_t room = (bytes + alignment - 1) / alignment * alignment;
    mapped = (room + page - 1) / page * page + 2 * page;
    base = (u8*)mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(base, page, PROT_NONE);
    mprotect(base + mapped - page, page, PROT_NONE);
    memory = base + mapped - page - room;
  }
  ~Guarded() { munmap(base, mapped); }
  Guarded(const Guarded&) = delete;
};

inline void out_of_bounds(int, siginfo_t* info, void*) {
  fail("access outside every buffer, at %p, by thread %d of block (%u, %u, %u)", info->si_addr, thread_number(), run.block.x,
       run.block.y, run.block.z);
}

inline int launch(void (*body)(void**), void** arguments, Index grid, int threads, int shared_bytes, int order) {
  Guarded arena(shared_bytes, 1024);
  std::vector<char> signal_stack(1 << 16);
  stack_t stack{}, old_stack{};
  stack.ss_sp = signal_stack.data(), stack.ss_size = signal_stack.size();
  struct sigaction action {}, old_segv, old_bus;
  action.sa_sigaction = out_of_bounds, action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaltstack(&stack, &old_stack);
  sigaction(SIGSEGV, &action, &old_segv);
  sigaction(SIGBUS, &action, &old_bus);
  run.body = body, run.arguments = arguments, run.grid = grid, run.order = order;
  run.arena = arena.memory, run.arena_bytes = (shared_bytes + 1023) / 1024 * 1024, run.error.clear();
  for (int kind = 0; kind < kAccessKinds; ++kind) run.phases[kind] = run.cycles[kind] = 0;
  bool good = true;
  u32 blocks = grid.x * grid.y * grid.z;
  for (u32 i = 0; good && i < blocks; ++i) {
    u32 b = order == 1 ? blocks - 1 - i : i;
    run.block = {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y};
    good = run_block(threads);
  }
  sigaction(SIGSEGV, &old_segv, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
  sigaltstack(&old_stack, nullptr);
  return good ? 0 : 1;
}

}  // namespace host

inline Index host_thread_index() { return {(u32)host::thread_number(), 0, 0}; }
#define threadIdx host_thread_index()
#define blockIdx host::run.block
#define gridDim host::run.grid

inline void __syncthreads() { host::meet(host::run.barrier, host::run.threads.size(), "__syncthreads", [] {}); }
inline void __syncwarp() { host::meet(host::warp().meeting, 32, "__syncwarp", [] {}); }
