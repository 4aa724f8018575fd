// requantize against the C library's nm_requantize_tflite, with the zero point and clamp of its
// kernels.
//
// usage: bench VECTORS SEED

#include "bench.h"
#include "narrowmac.h"

#include <algorithm>
#include <climits>
#include <deque>

namespace {

// Of a layer: constant while vectors are under way.
struct Layer {
    int zero_point, clamp_min, clamp_max;
};

struct Vector {
    int32_t sum, bias, multiplier;
    int shift;
};

uint8_t expected(const Layer &layer, const Vector &v) {
    const auto acc =
        static_cast<int32_t>(static_cast<uint32_t>(v.sum) + static_cast<uint32_t>(v.bias));
    const int64_t x = int64_t{nm_requantize_tflite(acc, v.multiplier, v.shift)} + layer.zero_point;
    return static_cast<uint8_t>(std::clamp<int64_t>(x, layer.clamp_min, layer.clamp_max));
}

int32_t random_sum(Rng &rng) {
    static const int32_t corners[] = {INT_MIN, INT_MIN + 1, INT_MAX, INT_MAX - 1, -2,        -1,
                                      0,       1,           2,       1 << 30,     -(1 << 30)};
    switch (rng.below(4)) {
    case 0:
        return corners[rng.below(std::size(corners))];
    case 1: // near a power of two, where ties are
        return static_cast<int32_t>((1u << rng.below(32)) + rng.below(5) - 2);
    default: // every magnitude alike
        return static_cast<int32_t>(rng.bits32()) >> rng.below(32);
    }
}

int32_t random_multiplier(Rng &rng) {
    switch (rng.below(5)) {
    case 0:
        return INT_MAX - static_cast<int32_t>(rng.below(3));
    case 1:
        return static_cast<int32_t>(rng.below(3));
    case 2: // a power of two keeps ties
        return 1 << rng.below(31);
    default:
        return static_cast<int32_t>(rng.bits32() >> 1);
    }
}

Layer random_layer(Rng &rng) {
    const bool is_signed = rng.below(2) != 0;
    const int low = is_signed ? -128 : 0;
    const int high = low + 255;
    const int a = rng.between(low, high), b = rng.between(low, high);
    Layer layer = {rng.between(low, high), low, high};
    if (rng.below(2)) {
        layer.clamp_min = std::min(a, b);
        layer.clamp_max = std::max(a, b);
    }
    return layer;
}

} // namespace

int main(int argc, char **argv) {
    Bench bench(argc, argv, 2);
    Rng rng(bench.argument(1));
    Vdut &dut = bench.dut();
    std::deque<Vector> pending;

    dut.enable_i = 1;
    dut.valid_i = 0;
    bench.reset();

    for (uint64_t n = 0; n < bench.argument(0);) {
        const Layer layer = random_layer(rng);
        dut.zero_point_i = static_cast<uint32_t>(layer.zero_point) & 0x1ff;
        dut.clamp_min_i = static_cast<uint32_t>(layer.clamp_min) & 0x1ff;
        dut.clamp_max_i = static_cast<uint32_t>(layer.clamp_max) & 0x1ff;
        for (int i = 0; i < 512 || !pending.empty(); i++) {
            const Vector v = {random_sum(rng), rng.below(2) ? random_sum(rng) : 0,
                              random_multiplier(rng), rng.between(-31, 30)};
            const bool valid = i < 512 && rng.below(8) != 0;
            const bool enable = rng.below(8) != 0;
            dut.enable_i = enable;
            dut.valid_i = valid;
            dut.sum_i = static_cast<uint32_t>(v.sum);
            dut.bias_i = static_cast<uint32_t>(v.bias);
            dut.multiplier_i = static_cast<uint32_t>(v.multiplier);
            dut.shift_i = static_cast<uint32_t>(v.shift) & 0x3f;
            if (valid && enable) {
                pending.push_back(v);
                bench.count_vector();
                n++;
            }
            const bool fresh = enable; // a held pipeline shows the same result again
            bench.tick();
            if (!fresh || !dut.valid_o)
                continue;
            bench.check(!pending.empty(), "valid_o without a vector");
            if (pending.empty())
                continue;
            const Vector &w = pending.front();
            const uint8_t want = expected(layer, w);
            bench.check(dut.data_o == want,
                        "%d + %d, times %d * 2^%d, zero point %d, clamp %d..%d: %u, expected %u",
                        w.sum, w.bias, w.multiplier, w.shift, layer.zero_point, layer.clamp_min,
                        layer.clamp_max, dut.data_o, want);
            bench.count_result();
            pending.pop_front();
        }
    }
    return bench.finish();
}
