// SPDX-License-Identifier: Apache-2.0
// Test bench for modules whose ports are valid/ready streams: offers what a file holds, notes every handshake.
//
// In cycle c (counted from the end of reset) inputs are set, the design settles, handshakes are noted, the clock rises.
// A source offers its item k from cycle at[k] on, and not before gap[k] cycles have passed since item k - 1 was taken;
// once offered it stays. A sink is ready where its pattern, repeated, is 1. A probe has no ready: it always is.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "verilated.h"

struct Signal {
    void* at;
    size_t bytes;
};

class Reader {
    std::vector<uint8_t> data_;
    size_t position_ = 0;

public:
    explicit Reader(const char* path) {
        FILE* file = std::fopen(path, "rb");
        if (!file) std::exit(2);
        std::fseek(file, 0, SEEK_END);
        data_.resize(std::ftell(file));
        std::rewind(file);
        if (std::fread(data_.data(), 1, data_.size(), file) != data_.size()) std::exit(2);
        std::fclose(file);
    }
    bool done() const { return position_ == data_.size(); }
    const uint8_t* take(size_t bytes) {
        const uint8_t* start = data_.data() + position_;
        position_ += bytes;
        return start;
    }
    uint32_t word() {
        uint32_t value;
        std::memcpy(&value, take(4), 4);
        return value;
    }
    std::vector<uint32_t> words(size_t count) {
        std::vector<uint32_t> values(count);
        std::memcpy(values.data(), take(4 * count), 4 * count);
        return values;
    }
};

struct Stream {
    uint8_t* valid;
    uint8_t* ready;  // null for a probe
    std::vector<Signal> payload;

    size_t record_bytes() const {
        size_t bytes = 0;
        for (const Signal& signal : payload) bytes += signal.bytes;
        return bytes;
    }
};

class Source : Stream {
    std::vector<uint32_t> at_, gap_, taken_;
    const uint8_t* records_ = nullptr;

public:
    explicit Source(Stream stream) : Stream(std::move(stream)) {}
    void open(Reader& reader) {
        const uint32_t count = reader.word();
        at_ = reader.words(count);
        gap_ = reader.words(count);
        records_ = reader.take(count * record_bytes());
        taken_.clear();
    }
    bool finished() const { return taken_.size() == at_.size(); }
    void drive(uint32_t cycle) {
        const size_t item = taken_.size();
        const uint32_t earliest = item ? taken_.back() + 1 : 0;
        *valid = !finished() && cycle >= at_[item] && cycle >= earliest + gap_[item];
        if (!*valid) return;
        const uint8_t* from = records_ + item * record_bytes();
        for (const Signal& signal : payload) {
            std::memcpy(signal.at, from, signal.bytes);
            from += signal.bytes;
        }
    }
    void sample(uint32_t cycle) {
        if (*valid && *ready) taken_.push_back(cycle);
    }
    void write(FILE* file) const {
        const uint32_t count = taken_.size();
        std::fwrite(&count, 4, 1, file);
        std::fwrite(taken_.data(), 4, count, file);
    }
};

class Sink : Stream {
    uint32_t expected_ = 0;
    std::vector<uint32_t> pattern_, cycles_;
    std::vector<uint8_t> records_;

public:
    explicit Sink(Stream stream) : Stream(std::move(stream)) {}
    void open(Reader& reader) {
        expected_ = reader.word();
        const uint32_t length = reader.word();
        pattern_ = reader.words(length);
        cycles_.clear();
        records_.clear();
    }
    bool finished() const { return cycles_.size() >= expected_; }
    void drive(uint32_t cycle) {
        if (ready) *ready = pattern_[cycle % pattern_.size()];
    }
    void sample(uint32_t cycle) {
        if (!*valid || (ready && !*ready)) return;
        cycles_.push_back(cycle);
        for (const Signal& signal : payload) {
            const uint8_t* from = static_cast<const uint8_t*>(signal.at);
            records_.insert(records_.end(), from, from + signal.bytes);
        }
    }
    void write(FILE* file) const {
        const uint32_t count = cycles_.size();
        std::fwrite(&count, 4, 1, file);
        std::fwrite(cycles_.data(), 4, count, file);
        std::fwrite(records_.data(), 1, records_.size(), file);
    }
};

/// The ports of a design.
struct Ports {
    std::vector<uint8_t*> config;
    std::vector<Source> sources;
    std::vector<Sink> sinks;
};

/// Runs every case on a design of its own, whose registers come up as another seed has it.
template <class Top, class Bind>
void run_cases(Bind bind, uint32_t tail_cycles, const char* cases, const char* results) {
    Reader reader(cases);
    FILE* file = std::fopen(results, "wb");
    Verilated::randReset(2);
    while (!reader.done()) {
        const uint32_t max_cycles = reader.word();
        Verilated::randSeed(reader.word());
        const auto top = std::make_unique<Top>();
        Ports ports = bind(*top);
        for (uint8_t* value : ports.config) *value = reader.word();
        for (Source& source : ports.sources) source.open(reader);
        for (Sink& sink : ports.sinks) sink.open(reader);
        const auto clock = [&](uint32_t cycle) {
            for (Source& source : ports.sources) source.drive(cycle);
            for (Sink& sink : ports.sinks) sink.drive(cycle);
            top->clk_i = 0;
            top->eval();
        };
        const auto rise = [&] {
            top->clk_i = 1;
            top->eval();
        };
        top->rst_ni = 0;
        clock(0);
        rise();
        top->rst_ni = 1;
        // Cycles run on after the last expected handshake, in which no other may happen.
        uint32_t tail = tail_cycles;
        for (uint32_t cycle = 0; cycle < max_cycles && tail; ++cycle) {
            clock(cycle);
            bool finished = true;
            for (Source& source : ports.sources) {
                source.sample(cycle);
                finished = finished && source.finished();
            }
            for (Sink& sink : ports.sinks) {
                sink.sample(cycle);
                finished = finished && sink.finished();
            }
            rise();
            if (finished) --tail;
        }
        for (const Source& source : ports.sources) source.write(file);
        for (const Sink& sink : ports.sinks) sink.write(file);
    }
    std::fclose(file);
}
