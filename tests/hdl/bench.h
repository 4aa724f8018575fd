// What every bench shares: a clocked device under test named Vdut, counted checks, arguments and a
// seeded generator. A bench prints "vectors N, results M" (operands driven, outputs compared) and
// exits 0, or prints the first failures and exits 1.
#pragma once

#include "Vdut.h"
#include "verilated.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <vector>

class Rng {
  public:
    explicit Rng(uint64_t seed) : state_(seed) {}

    // splitmix64 (Steele, Lea, Flood, 2014).
    uint64_t bits64() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    uint32_t bits32() { return static_cast<uint32_t>(bits64() >> 32); }
    uint32_t below(uint32_t n) { return static_cast<uint32_t>((uint64_t{bits32()} * n) >> 32); }
    int32_t between(int32_t low, int32_t high) {
        return low + static_cast<int32_t>(below(static_cast<uint32_t>(high - low) + 1));
    }

  private:
    uint64_t state_;
};

class Bench {
  public:
    Bench(int argc, char **argv, int arguments) : argv_(argv) {
        if (argc != arguments + 1) {
            std::fprintf(stderr, "%s: %d arguments expected, %d given\n", argv[0], arguments,
                         argc - 1);
            std::exit(2);
        }
        dut_->clk_i = 0;
        dut_->rst_i = 0;
    }
    ~Bench() { dut_->final(); }

    Vdut &dut() { return *dut_; }
    uint64_t cycle() const { return cycle_; }
    const char *text(int i) const { return argv_[i + 1]; }
    uint64_t argument(int i) const {
        char *end = nullptr;
        const uint64_t value = std::strtoull(argv_[i + 1], &end, 10);
        if (end == argv_[i + 1] || *end != '\0') {
            std::fprintf(stderr, "%s: '%s' is not a number\n", argv_[0], argv_[i + 1]);
            std::exit(2);
        }
        return value;
    }

    // Inputs set before are taken at the rising edge; outputs read after are of the new cycle.
    void tick() {
        dut_->clk_i = 0;
        dut_->eval();
        dut_->clk_i = 1;
        dut_->eval();
        cycle_++;
    }
    void reset() {
        dut_->rst_i = 1;
        tick();
        tick();
        dut_->rst_i = 0;
    }

    void count_vector() { vectors_++; }
    void count_result() { results_++; }

    __attribute__((format(printf, 3, 4))) void check(bool good, const char *format, ...) {
        if (good)
            return;
        std::fprintf(stderr, "cycle %llu: ", static_cast<unsigned long long>(cycle_));
        va_list arguments;
        va_start(arguments, format);
        std::vfprintf(stderr, format, arguments);
        va_end(arguments);
        std::fputc('\n', stderr);
        if (++failures_ == 10) {
            std::fprintf(stderr, "stopped after 10 failures\n");
            std::exit(1);
        }
    }

    int finish() {
        check(results_ != 0, "nothing was compared");
        std::printf("vectors %llu, results %llu\n", static_cast<unsigned long long>(vectors_),
                    static_cast<unsigned long long>(results_));
        return failures_ == 0 ? 0 : 1;
    }

  private:
    char **argv_;
    VerilatedContext context_;
    std::unique_ptr<Vdut> dut_ = std::make_unique<Vdut>(&context_);
    uint64_t cycle_ = 0;
    uint64_t vectors_ = 0;
    uint64_t results_ = 0;
    int failures_ = 0;
};
