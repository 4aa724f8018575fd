// mac_f32 against the C++ compiler's own float arithmetic (built with -ffp-contract=off): every
// pair of special values crossed with every third, then random operands of several kinds.
//
// usage: bench RANDOM_VECTORS SEED

#include "bench.h"

#include <cmath>
#include <cstring>
#include <deque>

namespace {

constexpr int kLatency = 11;

struct Vector {
    uint32_t a, b, c;
};

float from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t expected(const Vector &v) {
    // Volatile keeps the product a float of its own: rounded once before the sum.
    volatile float product = from_bits(v.a) * from_bits(v.b);
    volatile float sum = product + from_bits(v.c);
    const float y = sum;
    uint32_t bits;
    std::memcpy(&bits, &y, sizeof bits);
    return std::isnan(y) ? 0x7fc00000u : bits;
}

class Scoreboard {
  public:
    explicit Scoreboard(Bench &bench) : bench_(bench) {}

    void drive(const Vector &v, bool valid) {
        Vdut &dut = bench_.dut();
        dut.valid_i = valid;
        dut.a_i = v.a;
        dut.b_i = v.b;
        dut.c_i = v.c;
        if (valid) {
            pending_.push_back({bench_.cycle() + kLatency, v});
            bench_.count_vector();
        }
        bench_.tick();
        const bool due = !pending_.empty() && pending_.front().cycle == bench_.cycle();
        bench_.check(dut.valid_o == due, "valid_o is %d, expected %d", dut.valid_o, due);
        if (!due)
            return;
        const Vector w = pending_.front().vector;
        pending_.pop_front();
        const uint32_t want = expected(w);
        bench_.check(dut.y_o == want, "%08x * %08x + %08x = %08x, expected %08x", w.a, w.b, w.c,
                     dut.y_o, want);
        bench_.count_result();
    }

    void drain() {
        for (int i = 0; i < kLatency; i++)
            drive({0, 0, 0}, false);
    }

  private:
    struct Pending {
        uint64_t cycle;
        Vector vector;
    };
    Bench &bench_;
    std::deque<Pending> pending_;
};

// Every class and its borders: zero, subnormals, the least normal, one and its neighbours, powers
// that meet in rounding, the greatest finite, infinity, quiet and signalling NaN; both signs.
const uint32_t kMagnitudes[] = {
    0x00000000, 0x00000001, 0x00000002, 0x00000003, 0x00400000, 0x007ffffe, 0x007fffff, 0x00800000,
    0x00800001, 0x00ffffff, 0x01000000, 0x01000001, 0x0b800000, 0x1f800000, 0x20000000, 0x33800000,
    0x33800001, 0x34000000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f7fffff, 0x3f800000, 0x3f800001,
    0x3fffffff, 0x40000000, 0x40490fdb, 0x4b000000, 0x4b7fffff, 0x4b800000, 0x4b800001, 0x5f000000,
    0x5f7fffff, 0x5f800000, 0x7e800000, 0x7effffff, 0x7f000000, 0x7f7ffffe, 0x7f7fffff, 0x7f800000,
    0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff};

uint32_t random_float(Rng &rng, unsigned kind) {
    const uint32_t bits = rng.bits32();
    switch (kind) {
    case 0: // any bit pattern
        return bits;
    case 1: // exponents near one, so that product and addend overlap
        return (bits & 0x807fffff) | ((112 + rng.below(32)) << 23);
    case 2: // subnormals
        return bits & 0x807fffff;
    case 3: // few significant bits: exact ties are common
        return (bits & 0x80700000) | ((120 + rng.below(16)) << 23);
    case 4: // products near the least normal
        return (bits & 0x807fffff) | ((50 + rng.below(26)) << 23);
    case 5: // products near overflow
        return (bits & 0x807fffff) | ((180 + rng.below(24)) << 23);
    default: // a special value
        return kMagnitudes[rng.below(std::size(kMagnitudes))] | (bits & 0x80000000);
    }
}

} // namespace

int main(int argc, char **argv) {
    Bench bench(argc, argv, 2);
    const uint64_t random_vectors = bench.argument(0);
    Rng rng(bench.argument(1));
    Scoreboard board(bench);

    bench.dut().valid_i = 0;
    bench.reset();

    std::vector<uint32_t> specials;
    for (uint32_t m : kMagnitudes) {
        specials.push_back(m);
        specials.push_back(m | 0x80000000);
    }
    for (uint32_t a : specials)
        for (uint32_t b : specials)
            for (uint32_t c : specials)
                board.drive({a, b, c}, true);

    for (uint64_t n = 0; n < random_vectors;) {
        const unsigned kind = rng.below(7);
        Vector v = {random_float(rng, kind), random_float(rng, rng.below(4) ? kind : rng.below(7)),
                    0};
        if (rng.below(3)) {
            v.c = random_float(rng, rng.below(7));
        } else {
            // Near the negated product: cancellation, down to the last bit and to zero.
            const float product = from_bits(v.a) * from_bits(v.b);
            std::memcpy(&v.c, &product, sizeof v.c);
            v.c = (v.c ^ 0x80000000) + rng.below(5) - 2;
        }
        const bool valid = rng.below(16) != 0;
        board.drive(v, valid);
        n += valid;
    }
    board.drain();
    return bench.finish();
}
