// Ramulator 2.1 behind loop.h.
#include "loop.h"
#include "ramulator/base/config.h"
#include "ramulator/base/factory.h"
#include "ramulator/base/request.h"
#include "ramulator/frontend/i_frontend.h"
#include "ramulator/memory_system/i_memory_system.h"
using namespace Ramulator;
struct Ramulator21 : ::System {
  Loop *loop; int channels; std::unique_ptr<IFrontEnd> front; std::unique_ptr<IMemorySystem> memory; int bytes;
  Ramulator21(Loop *l, const char *file, int n) : loop(l), channels(n) {
    ConfigNode config = Config::parse_config_file(file);
    front.reset(Factory::create_frontend(config)); memory.reset(Factory::create_memory_system(config));
    front->connect_memory_system(memory.get()); memory->connect_frontend(front.get()); bytes = memory->get_tx_bytes();
  }
  bool send(int c, Place p, bool write, int request) override {
    AddrVec_t v = {c, 0, p.group, p.bank, p.row, p.column};
    Request r(v, write ? Request::Type::Write : Request::Type::Read);
    r.addr = ((((Addr_t)p.row * loop->banks + p.bank) * loop->columns + p.column) * loop->groups + p.group) * channels + c; r.addr *= 64;
    r.size_bytes = bytes; r.source_id = 0;
    if (!write) r.callback = [this, request](Request &) { loop->burst_done(request); };
    return memory->send(r);
  }
  void tick() override { memory->tick(); }
};
::System *open_system(Loop *loop, const char *config, const char *, int channels, int) { return new Ramulator21(loop, config, channels); }
