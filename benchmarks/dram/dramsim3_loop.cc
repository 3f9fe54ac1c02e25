// DRAMsim3 behind loop.h: one single-channel system a channel.
#include "loop.h"
#include "dramsim3.h"
struct Dramsim3 : System {
  Loop *loop; uint64_t bytes; std::vector<std::unique_ptr<dramsim3::MemorySystem>> systems; std::vector<std::unordered_map<uint64_t, int>> reading;
  Dramsim3(Loop *l, const char *config, const char *folder, int channels, int burst_bytes) : loop(l), bytes(burst_bytes), reading(channels) {
    for (int c = 0; c < channels; c++) systems.emplace_back(dramsim3::GetMemorySystem(config, folder, [this, c](uint64_t a) {
      int request = reading[c].at(a); reading[c].erase(a); loop->burst_done(request); }, [](uint64_t) {}));
  }
  bool send(int c, Place p, bool write, int request) override {
    uint64_t a = ((((uint64_t)p.row * loop->banks + p.bank) * loop->columns + p.column) * loop->groups + p.group) * bytes;
    if (!systems[c]->WillAcceptTransaction(a, write)) return false;
    if (!write) reading[c][a] = request;
    systems[c]->AddTransaction(a, write); return true;
  }
  void tick() override { for (auto &s : systems) s->ClockTick(); }
};
System *open_system(Loop *loop, const char *config, const char *folder, int channels, int burst_bytes) { return new Dramsim3(loop, config, folder, channels, burst_bytes); }
