// Shared memory: the arena, 16-byte accesses (recorded for the count of bank conflicts), asynchronous copies.
#pragma once
#include "block.hpp"

#define SHARED_ARENA(name) u8* const name = host::run.arena

inline u32 shared_address(const void* p) {
  u64 offset = (const u8*)p - host::run.arena;
  if (offset >= host::run.arena_bytes) host::fail("an address of shared memory was expected");
  return (u32)offset;
}

inline void store_shared16(void* to, const u32* v) {
  if (shared_address(to) & 15) host::fail("store_shared16: address not a multiple of 16");
  host::run.current->accesses[host::kStore16].push_back(shared_address(to));
  host::run.current->unfenced = true;
  memcpy(to, v, 16);
}
inline void load_shared16(u32* v, const void* from) {
  if (shared_address(from) & 15) host::fail("load_shared16: address not a multiple of 16");
  host::run.current->accesses[host::kLoad16].push_back(shared_address(from));
  memcpy(v, from, 16);
}

inline void load_shared8(u32* v, const void* from) {
  if (shared_address(from) & 7) host::fail("load_shared8: address not a multiple of 8");
  host::run.current->accesses[host::kLoad8].push_back(shared_address(from));
  memcpy(v, from, 8);
}
constexpr host::Access access_of(int bytes, bool stores) {
  return bytes == 16 ? (stores ? host::kStore16 : host::kLoad16) : bytes == 8 ? (stores ? host::kStore8 : host::kLoad8) : stores ? host::kStore4 : host::kLoad4;
}
template <class Value>
Value load_shared(const Value* from) {
  if ((u64)from % sizeof(Value)) host::fail("load_shared: address not a multiple of %d", (int)sizeof(Value));
  host::run.current->accesses[access_of(sizeof(Value), false)].push_back(shared_address(from));
  return *from;
}
template <class Value>
void store_shared(Value* to, Value v) {
  if ((u64)to % sizeof(Value)) host::fail("store_shared: address not a multiple of %d", (int)sizeof(Value));
  host::run.current->accesses[access_of(sizeof(Value), true)].push_back(shared_address(to));
  host::run.current->unfenced = true;
  *to = v;
}

inline void copy_async(void* to, const void* from, int bytes, bool valid) {
  if ((shared_address(to) | (u64)from) % bytes) host::fail("an asynchronous copy of %d bytes at an address that is no multiple of it", bytes);
  host::run.current->open.push_back({to, from, bytes, valid});
}
inline void copy16_async(void* to, const void* from, bool valid) { copy_async(to, from, 16, valid); }
inline void copy8_async(void* to, const void* from, bool valid) { copy_async(to, from, 8, valid); }
inline void commit_copies() {
  host::Thread& self = *host::run.current;
  self.in_flight.push_back(std::move(self.open));
  self.open.clear();
}
template <int kPending>
void wait_copies() {
  host::Thread& self = *host::run.current;
  while (self.in_flight.size() > kPending) {
    for (const host::Copy& copy : self.in_flight.front()) {
      if (copy.valid) memcpy(copy.to, copy.from, copy.bytes);
      else memset(copy.to, 0, copy.bytes);
      self.unfenced = true;
    }
    self.in_flight.erase(self.in_flight.begin());
  }
}
