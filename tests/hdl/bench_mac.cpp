// An integer multiply-accumulate unit against the C library: a sum is a 1x1 convolution over as
// many channels as products.
//
// usage: bench exhaustive | sampled | random VECTORS SEED | wrap
//
// The unit's shape comes as macros: A_LANES, B_LANES (of the words), A_WIDTH, B_WIDTH, A_SIGNED,
// LATENCY, and OUTER: 0 for one sum over the lanes, 1 for a sum for every pair of an a and a b lane
// (sum number B lane * A_LANES + A lane).

#include "bench.h"
#include "reference.h"

#include <array>
#include <cstring>
#include <deque>
#include <string>

namespace {

constexpr int kSums = OUTER ? A_LANES * B_LANES : 1;
static_assert(OUTER || A_LANES == B_LANES, "a dot product pairs its lanes");

using Sums = std::array<int32_t, kSums>;

struct Operands {
    std::array<int, A_LANES> a;
    std::array<int, B_LANES> b;
};

constexpr int kAMin = A_SIGNED ? -(1 << (A_WIDTH - 1)) : 0;
constexpr int kAMax = kAMin + (1 << A_WIDTH) - 1;
constexpr int kBMin = -(1 << (B_WIDTH - 1));
constexpr int kBMax = kBMin + (1 << B_WIDTH) - 1;

// Verilator's port types: a scalar up to 64 bits, an array of words beyond.
template <typename T> int32_t word(const T &port, int i) {
    return static_cast<int32_t>(static_cast<uint64_t>(port) >> (32 * i));
}
template <std::size_t N> int32_t word(const VlWide<N> &port, int i) {
    return static_cast<int32_t>(port.at(static_cast<std::size_t>(i)));
}

template <std::size_t N> uint64_t pack_lanes(const std::array<int, N> &lanes, int width) {
    uint64_t packed = 0;
    for (std::size_t i = 0; i < N; i++)
        packed |= (static_cast<uint64_t>(lanes[i]) & ((1u << width) - 1)) << (i * width);
    return packed;
}

nm_conv_desc pointwise(size_t pixels, size_t channels, size_t out_channels) {
    nm_conv_desc desc;
    nm_conv_desc_init(&desc);
    desc.precision = reference_precision(A_WIDTH, B_WIDTH);
    desc.input_type = reference_input_type(A_WIDTH, A_SIGNED);
    desc.output_type = NM_INT32;
    desc.in_height = 1;
    desc.in_width = pixels;
    desc.in_channels = channels;
    desc.out_channels = out_channels;
    desc.kernel_height = desc.kernel_width = 1;
    return desc;
}

// Every product, from one convolution: a pixel for each a, an output channel for each b.
class ProductTable {
  public:
    ProductTable() {
        std::vector<uint8_t> input;
        std::vector<int8_t> weights;
        for (int a = kAMin; a <= kAMax; a++)
            input.push_back(static_cast<uint8_t>(a));
        for (int b = kBMin; b <= kBMax; b++)
            weights.push_back(static_cast<int8_t>(b));
        table_.resize(input.size() * weights.size());
        reference_conv(pointwise(input.size(), 1, weights.size()), input, weights, {},
                       table_.data());
    }
    int32_t operator()(int a, int b) const {
        return table_[static_cast<std::size_t>((a - kAMin) << B_WIDTH | (b - kBMin))];
    }

  private:
    std::vector<int32_t> table_;
};

// The products of the sums that are under way.
class Terms {
  public:
    void clear() {
        for (Term &term : terms_) {
            term.a.clear();
            term.b.clear();
        }
    }
    void add(const Operands &x) {
        for (int j = 0; j < B_LANES; j++)
            for (int i = 0; i < A_LANES; i++)
                if (OUTER || i == j) {
                    Term &term = terms_[OUTER ? j * A_LANES + i : 0];
                    term.a.push_back(static_cast<uint8_t>(x.a[i]));
                    term.b.push_back(static_cast<int8_t>(x.b[j]));
                }
    }
    Sums sums() const {
        Sums sums;
        for (int k = 0; k < kSums; k++)
            reference_conv(pointwise(1, terms_[k].a.size(), 1), terms_[k].a, terms_[k].b, {},
                           &sums[k]);
        return sums;
    }

  private:
    struct Term {
        std::vector<uint8_t> a;
        std::vector<int8_t> b;
    };
    std::array<Term, kSums> terms_;
};

// Checks in every cycle that valid_o comes exactly when due and acc_o is the last finished sum.
class Scoreboard {
  public:
    explicit Scoreboard(Bench &bench) : bench_(bench) {}

    void drive(const Operands &x, bool valid, bool clear, bool last) {
        Vdut &dut = bench_.dut();
        dut.valid_i = valid;
        dut.clear_i = clear;
        dut.last_i = last;
        dut.a_i = pack_lanes(x.a, A_WIDTH);
        dut.b_i = pack_lanes(x.b, B_WIDTH);
        bench_.tick();
        if (valid)
            bench_.count_vector();
        compare();
    }
    // The sums that the cycle just driven has ended.
    void expect(const Sums &sums) { pending_.push_back({bench_.cycle() - 1 + LATENCY, sums}); }

    void idle(int cycles) {
        for (int i = 0; i < cycles; i++)
            drive({}, false, false, false);
    }
    void reset() {
        bench_.dut().rst_i = 1;
        pending_.clear();
        idle(1);
        bench_.dut().rst_i = 0;
    }

  private:
    struct Pending {
        uint64_t cycle;
        Sums sums;
    };

    void compare() {
        const Vdut &dut = bench_.dut();
        const bool due = !pending_.empty() && pending_.front().cycle == bench_.cycle();
        bench_.check(dut.valid_o == due, "valid_o is %d, expected %d", dut.valid_o, due);
        if (due) {
            held_ = pending_.front().sums;
            known_ = true;
            pending_.pop_front();
            bench_.count_result();
        }
        for (int k = 0; known_ && k < kSums; k++)
            bench_.check(word(dut.acc_o, k) == held_[k], "sum %d is %d, expected %d", k,
                         word(dut.acc_o, k), held_[k]);
    }

    Bench &bench_;
    std::deque<Pending> pending_;
    Sums held_{};
    bool known_ = false;
};

// One product a sum, so that every product is seen by itself.
class Products {
  public:
    explicit Products(Scoreboard &board) : board_(board) {}

    void drive(const Operands &x) {
        Sums sums{};
        for (int j = 0; j < B_LANES; j++)
            for (int i = 0; i < A_LANES; i++)
                if (OUTER || i == j)
                    sums[OUTER ? j * A_LANES + i : 0] += table_(x.a[i], x.b[j]);
        board_.drive(x, true, false, true);
        board_.expect(sums);
    }

  private:
    Scoreboard &board_;
    ProductTable table_;
};

int extreme(Rng &rng, int min, int max) {
    switch (rng.below(6)) {
    case 0:
        return min;
    case 1:
        return max;
    case 2:
        return min < 0 ? -1 : 1;
    case 3:
        return 0;
    default:
        return rng.between(min, max);
    }
}

Operands random_operands(Rng &rng) {
    Operands x;
    for (int &a : x.a)
        a = extreme(rng, kAMin, kAMax);
    for (int &b : x.b)
        b = extreme(rng, kBMin, kBMax);
    return x;
}

// Every value of every operand bit.
void every_word(Products &products) {
    constexpr int kABits = A_LANES * A_WIDTH;
    constexpr int kBits = kABits + B_LANES * B_WIDTH;
    for (uint64_t n = 0; n < uint64_t{1} << kBits; n++) {
        Operands x;
        for (int i = 0; i < A_LANES; i++)
            x.a[i] = kAMin + static_cast<int>(n >> (i * A_WIDTH) & ((1 << A_WIDTH) - 1));
        for (int j = 0; j < B_LANES; j++)
            x.b[j] = kBMin + static_cast<int>(n >> (kABits + j * B_WIDTH) & ((1 << B_WIDTH) - 1));
        products.drive(x);
    }
}

// Every pair of operands in every pair of lanes that multiply, the other lanes at extremes.
void every_pair(Products &products, int repetitions) {
    Rng rng(1);
    for (int j = 0; j < B_LANES; j++)
        for (int i = 0; i < A_LANES; i++)
            if (OUTER || i == j)
                for (int r = 0; r < repetitions; r++)
                    for (int a = kAMin; a <= kAMax; a++)
                        for (int b = kBMin; b <= kBMax; b++) {
                            Operands x = random_operands(rng);
                            x.a[i] = a;
                            x.b[j] = b;
                            products.drive(x);
                        }
}

// Random operands under every density of gaps, clears and ends, with resets between.
void random_streams(Scoreboard &board, uint64_t vectors, Rng &rng) {
    Terms terms;
    for (uint64_t n = 0; n < vectors;) {
        const uint32_t gap = rng.below(3) * 3;    // of 16
        const uint32_t clear = rng.below(3) * 2;  // of 32
        const uint32_t last = 1u << rng.below(6); // of 32
        for (int phase = 0; phase < 256; phase++) {
            const Operands x = random_operands(rng);
            const bool is_valid = rng.below(16) >= gap;
            const bool is_clear = rng.below(32) < clear;
            const bool is_last = rng.below(32) < last;
            board.drive(x, is_valid, is_clear, is_last);
            if (is_clear)
                terms.clear();
            if (is_valid) {
                terms.add(x);
                n++;
            }
            if (is_valid && is_last) {
                board.expect(terms.sums());
                terms.clear();
            }
        }
        if (rng.below(4) == 0) {
            board.reset();
            terms.clear();
        }
    }
}

// The longest run of the greatest product passes 2^31 and wraps.
void wrap(Scoreboard &board) {
    Operands x;
    x.a.fill(kAMin < 0 ? kAMin : kAMax);
    x.b.fill(kBMin);
    const int64_t product = std::abs(int64_t{x.a[0]} * x.b[0]) * (OUTER ? 1 : A_LANES);
    const int64_t count = (int64_t{1} << 31) / product + 3;
    for (int64_t n = 0; n < count; n++)
        board.drive(x, true, false, n == count - 1);
    const auto channels = static_cast<size_t>(count) * (OUTER ? 1 : A_LANES);
    const std::vector<uint8_t> a(channels, static_cast<uint8_t>(x.a[0]));
    const std::vector<int8_t> b(channels, static_cast<int8_t>(x.b[0]));
    int32_t sum;
    reference_conv(pointwise(1, channels, 1), a, b, {}, &sum);
    Sums sums;
    sums.fill(sum);
    board.expect(sums);
}

} // namespace

int main(int argc, char **argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    Bench bench(argc, argv, mode == "random" ? 3 : 1);
    Scoreboard board(bench);
    bench.dut().valid_i = bench.dut().clear_i = bench.dut().last_i = 0;
    bench.reset();

    if (mode == "exhaustive" || mode == "sampled") {
        Products products(board);
        if (mode == "exhaustive" && A_LANES * A_WIDTH + B_LANES * B_WIDTH <= 24)
            every_word(products);
        else
            every_pair(products, OUTER ? 4 : 1);
    } else if (mode == "random") {
        Rng rng(bench.argument(2));
        random_streams(board, bench.argument(1), rng);
    } else if (mode == "wrap") {
        wrap(board);
    } else {
        std::fprintf(stderr, "%s: '%s' is not a mode\n", argv[0], mode.c_str());
        return 2;
    }
    board.idle(LATENCY + 1);
    return bench.finish();
}
