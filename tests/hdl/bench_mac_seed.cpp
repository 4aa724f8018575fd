// mac_seed against its description: unsigned, every sum modulo 2^W.
//
// usage: bench exhaustive | random VECTORS SEED; W comes as a macro

#include "bench.h"

#include <string>

namespace {

constexpr uint32_t kMask = static_cast<uint32_t>((uint64_t{1} << W) - 1);

class Model {
  public:
    explicit Model(Bench &bench) : bench_(bench) {}

    void drive(uint32_t ifmap, uint32_t weights, bool en, bool lastdata, bool reset) {
        Vdut &dut = bench_.dut();
        dut.rst_i = reset;
        dut.en_i = en;
        dut.lastdata_i = lastdata;
        dut.ifmap_i = ifmap;
        dut.weights_i = weights;
        bench_.tick();
        bench_.count_vector();

        const uint32_t sum = (ifmap * weights + temp_) & kMask;
        if (reset) {
            accumulation_ = temp_ = 0;
        } else if (en && lastdata) {
            accumulation_ = sum;
            temp_ = 0;
        } else if (en) {
            temp_ = sum;
        }
        bench_.check(dut.accumulation_o == accumulation_, "accumulation is %u, expected %u",
                     dut.accumulation_o, accumulation_);
        bench_.count_result();
    }

  private:
    Bench &bench_;
    uint32_t accumulation_ = 0;
    uint32_t temp_ = 0;
};

uint32_t operand(Rng &rng) {
    switch (rng.below(6)) {
    case 0:
        return kMask;
    case 1:
        return rng.below(3);
    default:
        return rng.bits32() & kMask;
    }
}

} // namespace

int main(int argc, char **argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    Bench bench(argc, argv, mode == "random" ? 3 : 1);
    Model model(bench);
    bench.dut().en_i = bench.dut().lastdata_i = 0;
    bench.reset();

    if (mode == "exhaustive" && W <= 8) {
        for (uint32_t a = 0; a <= kMask; a++)
            for (uint32_t b = 0; b <= kMask; b++)
                model.drive(a, b, true, true, false);
    } else if (mode == "random") {
        Rng rng(bench.argument(2));
        for (uint64_t n = 0; n < bench.argument(1); n++)
            model.drive(operand(rng), operand(rng), rng.below(4) != 0, rng.below(8) == 0,
                        rng.below(256) == 0);
    } else {
        std::fprintf(stderr, "%s: '%s' is not a mode\n", argv[0], mode.c_str());
        return 2;
    }
    return bench.finish();
}
