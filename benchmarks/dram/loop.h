// A reference as a shared library that a simulator drives: it asks, lets clocks pass, and is told what is done.
// Reads and writes of a channel wait in a queue each until the reference takes them. A read is done with its last data,
// a write when its last burst is taken. System: send(channel, place, write, request), which may refuse, and tick().
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
struct Place { int group, bank, row, column; };
struct Bursts { uint64_t first; int left, request; };
struct System {
  virtual bool send(int channel, Place place, bool write, int request) = 0;
  virtual void tick() = 0;
  virtual ~System() = default;
};
struct Loop {
  int groups, banks, columns; uint64_t rows, now = 0;
  std::vector<std::deque<Bursts>> queues[2]; std::unordered_map<int, int> left; std::deque<int> done; std::unique_ptr<System> system;
  void burst_done(int request) { if (--left[request] == 0) { left.erase(request); done.push_back(request); } }
  Place place(uint64_t burst) const {
    uint64_t group = burst % groups, rest = burst / groups;
    return {(int)group, (int)(rest / columns % banks), (int)(rest / columns / banks % rows), (int)(rest % columns)};
  }
  void tick() {
    for (int write = 0; write < 2; write++)
      for (size_t c = 0; c < queues[write].size(); c++) while (!queues[write][c].empty()) {
        Bursts &head = queues[write][c].front();
        if (!system->send(c, place(head.first), write, head.request)) break;
        int request = head.request;
        head.first++; if (--head.left == 0) queues[write][c].pop_front();
        if (write) burst_done(request); }
    system->tick(); now++;
  }
};
System *open_system(Loop *loop, const char *config, const char *folder, int channels, int burst_bytes);
extern "C" {
Loop *loop_open(const char *config, const char *folder, int channels, int groups, int banks, int columns, int rows, int burst_bytes) {
  Loop *l = new Loop{groups, banks, columns, (uint64_t)rows};
  for (auto &waiting : l->queues) waiting.resize(channels);
  l->system.reset(open_system(l, config, folder, channels, burst_bytes));
  return l;
}
void loop_close(Loop *l) { delete l; }
// Bursts of a request, over all channels in turn; every channel's begin at burst `first`.
void loop_ask(Loop *l, int request, int write, uint64_t first, int bursts) {
  int channels = l->queues[write].size(); l->left[request] = bursts;
  for (int c = 0; c < channels && c < bursts; c++) l->queues[write][c].push_back({first, (bursts - c + channels - 1) / channels, request});
}
// Let all clocks before this one pass.
void loop_until(Loop *l, uint64_t clock) { while (l->now < clock) l->tick(); }
int loop_waits(Loop *l, int write) { for (auto &queue : l->queues[write]) if (!queue.empty()) return 1; return 0; }
// The next request that is done, or -1.
int loop_done(Loop *l) {
  if (l->done.empty()) return -1;
  int request = l->done.front(); l->done.pop_front(); return request;
}
}
