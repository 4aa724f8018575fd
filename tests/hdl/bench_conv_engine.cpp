// conv_engine against the C library: byte for byte, frame after frame.
//
// usage: bench random SEED FRAMES       random tensors and constants, random gaps in every stream
//        bench quantized DIR FRAMES IN_ZERO_POINT OUT_ZERO_POINT
//                                       DIR/input, weights (int8), bias (int32), factor (float64,
//                                       one for each output channel), output (what must come out)
//        bench float DIR FRAMES         DIR/input, weights, bias, output (float32): quantized here
//                                       by the library, per channel
// Files are raw little-endian arrays. The last two run without gaps and also print "cycles FIRST
// EACH": from the first input word to the last output byte of the first frame, and from frame to
// frame (0 with a single one).
//
// The layer comes as macros of the engine's parameters: IN_HEIGHT, IN_WIDTH, IN_CHANNELS,
// OUT_CHANNELS, KERNEL, STRIDE, PAD, IN_LANES, OUT_LANES, WEIGHT_WIDTH, ACT_WIDTH, ACT_SIGNED.

#include "bench.h"
#include "reference.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace {

constexpr size_t kOutHeight = (IN_HEIGHT + 2 * PAD - KERNEL) / STRIDE + 1;
constexpr size_t kOutWidth = (IN_WIDTH + 2 * PAD - KERNEL) / STRIDE + 1;
constexpr size_t kTaps = size_t{KERNEL} * KERNEL * IN_CHANNELS;
constexpr size_t kFrameIn = size_t{IN_HEIGHT} * IN_WIDTH * IN_CHANNELS;
constexpr size_t kFrameOut = kOutHeight * kOutWidth * OUT_CHANNELS;
constexpr int kActMin = ACT_SIGNED ? -(1 << (ACT_WIDTH - 1)) : 0;
constexpr int kActMax = kActMin + (1 << ACT_WIDTH) - 1;
constexpr int kWeightMin = -(1 << (WEIGHT_WIDTH - 1));
constexpr int kWeightMax = -kWeightMin - 1;
// Outputs are 8-bit, of the input's sign; a 4-bit layer's are clamped to what the next one takes.
constexpr int kOutMin = kActMin;
constexpr int kOutMax = kActMax;

struct Layer {
    size_t frames = 1;
    std::vector<uint8_t> input; // one value a byte
    std::vector<int8_t> weights;
    std::vector<int32_t> bias, multiplier, shift;
    int in_zero_point = 0, out_zero_point = 0, clamp_min = kOutMin, clamp_max = kOutMax;
};

template <typename T> std::vector<T> read(const std::string &path, size_t count) {
    std::vector<T> values(count);
    std::ifstream file(path, std::ios::binary);
    if (!file.read(reinterpret_cast<char *>(values.data()),
                   static_cast<std::streamsize>(count * sizeof(T)))) {
        std::fprintf(stderr, "%s: %zu bytes expected\n", path.c_str(), count * sizeof(T));
        std::exit(2);
    }
    return values;
}

void set_factor(Layer &layer, double factor) {
    int32_t multiplier, shift;
    nm_error error;
    if (nm_quantize_multiplier(factor, &multiplier, &shift, &error) != NM_OK) {
        std::fprintf(stderr, "factor %g: %s\n", factor, error.message);
        std::exit(2);
    }
    layer.multiplier.push_back(multiplier);
    layer.shift.push_back(shift);
}

std::vector<uint8_t> reference_output(const Layer &layer) {
    nm_conv_desc desc;
    nm_conv_desc_init(&desc);
    desc.precision = reference_precision(ACT_WIDTH, WEIGHT_WIDTH);
    desc.input_type = reference_input_type(ACT_WIDTH, ACT_SIGNED);
    desc.output_type = ACT_SIGNED ? NM_INT8 : NM_UINT8;
    desc.batch = layer.frames;
    desc.in_height = IN_HEIGHT;
    desc.in_width = IN_WIDTH;
    desc.in_channels = IN_CHANNELS;
    desc.out_channels = OUT_CHANNELS;
    desc.kernel_height = desc.kernel_width = KERNEL;
    desc.stride[0] = desc.stride[1] = STRIDE;
    std::fill(std::begin(desc.padding), std::end(desc.padding), PAD);
    desc.input_zero_point = layer.in_zero_point;
    desc.output_zero_point = layer.out_zero_point;
    desc.rounding = NM_ROUNDING_TFLITE;
    desc.scale_count = OUT_CHANNELS;
    desc.multiplier = layer.multiplier.data();
    desc.shift = layer.shift.data();
    desc.clamp_min = layer.clamp_min;
    desc.clamp_max = layer.clamp_max;
    std::vector<uint8_t> output(layer.frames * kFrameOut);
    reference_conv(desc, layer.input, layer.weights, layer.bias, output.data());
    return output;
}

// ---- Layers ----

int extreme(Rng &rng, int min, int max) {
    switch (rng.below(4)) {
    case 0:
        return min;
    case 1:
        return max;
    default:
        return rng.between(min, max);
    }
}

Layer random_layer(Rng &rng, size_t frames) {
    Layer layer;
    layer.frames = frames;
    for (size_t i = 0; i < frames * kFrameIn; i++)
        layer.input.push_back(static_cast<uint8_t>(extreme(rng, kActMin, kActMax)));
    for (size_t i = 0; i < OUT_CHANNELS * kTaps; i++)
        layer.weights.push_back(static_cast<int8_t>(extreme(rng, kWeightMin, kWeightMax)));
    layer.in_zero_point = rng.between(kActMin, kActMax);
    layer.out_zero_point = rng.between(kOutMin, kOutMax);
    if (rng.below(2)) {
        const int a = rng.between(kOutMin, kOutMax), b = rng.between(kOutMin, kOutMax);
        layer.clamp_min = std::min(a, b);
        layer.clamp_max = std::max(a, b);
    }
    // Sums spread over the output range: their deviation is about a third of what saturates.
    const double deviation =
        0.4 * (kActMax - kActMin) * kWeightMax * std::sqrt(static_cast<double>(kTaps));
    for (int o = 0; o < OUT_CHANNELS; o++) {
        layer.bias.push_back(static_cast<int32_t>(deviation * (rng.between(-100, 100) / 100.0)));
        set_factor(layer, 0.15 * (kOutMax - kOutMin) / deviation * (1 + rng.below(100) / 50.0));
    }
    return layer;
}

Layer quantized_layer(const std::string &dir, size_t frames, int in_zero_point,
                      int out_zero_point) {
    Layer layer;
    layer.frames = frames;
    layer.input = read<uint8_t>(dir + "/input", frames * kFrameIn);
    layer.weights = read<int8_t>(dir + "/weights", OUT_CHANNELS * kTaps);
    layer.bias = read<int32_t>(dir + "/bias", OUT_CHANNELS);
    for (double factor : read<double>(dir + "/factor", OUT_CHANNELS))
        set_factor(layer, factor);
    layer.in_zero_point = in_zero_point;
    layer.out_zero_point = out_zero_point;
    return layer;
}

Layer float_layer(const std::string &dir, size_t frames) {
    const auto input = read<float>(dir + "/input", frames * kFrameIn);
    const auto weights = read<float>(dir + "/weights", OUT_CHANNELS * kTaps);
    const auto bias = read<float>(dir + "/bias", OUT_CHANNELS);
    const auto output = read<float>(dir + "/output", frames * kFrameOut);

    Layer layer;
    layer.frames = frames;
    const auto in =
        nm_qparams_choose(NM_SCHEME_PER_CHANNEL, input.data(), input.size(), kActMin, kActMax);
    const auto out =
        nm_qparams_choose(NM_SCHEME_PER_CHANNEL, output.data(), output.size(), kOutMin, kOutMax);
    layer.input.resize(input.size());
    nm_quantize(input.data(), input.size(), in, layer.input.data());
    layer.in_zero_point = in.zero_point;
    layer.out_zero_point = out.zero_point;

    layer.weights.resize(weights.size());
    std::vector<float> scale(OUT_CHANNELS);
    int32_t zero_point;
    nm_error error;
    if (nm_quantize_weights(NM_SCHEME_PER_CHANNEL, WEIGHT_WIDTH, weights.data(), OUT_CHANNELS,
                            kTaps, layer.weights.data(), scale.data(), &zero_point,
                            &error) != NM_OK) {
        std::fprintf(stderr, "weights: %s\n", error.message);
        std::exit(2);
    }
    for (int o = 0; o < OUT_CHANNELS; o++) {
        const double unit = static_cast<double>(in.scale) * scale[o];
        // Channels whose weights are all but zero have biases beyond int32 in their own unit.
        layer.bias.push_back(static_cast<int32_t>(
            std::clamp(std::nearbyint(bias[o] / unit), -2147483648.0, 2147483647.0)));
        set_factor(layer, unit / out.scale);
    }
    return layer;
}

// ---- The engine ----

class Engine {
  public:
    Engine(Bench &bench, Rng &rng, bool gaps) : bench_(bench), rng_(rng), gaps_(gaps) {}

    void load(const Layer &layer) {
        Vdut &dut = bench_.dut();
        dut.weight_valid_i = dut.param_valid_i = dut.in_valid_i = dut.out_ready_i = 0;
        dut.in_zero_point_i = static_cast<uint32_t>(layer.in_zero_point) & ((1 << ACT_WIDTH) - 1);
        dut.out_zero_point_i = static_cast<uint32_t>(layer.out_zero_point) & 0x1ff;
        dut.clamp_min_i = static_cast<uint32_t>(layer.clamp_min) & 0x1ff;
        dut.clamp_max_i = static_cast<uint32_t>(layer.clamp_max) & 0x1ff;
        bench_.reset();

        std::vector<int32_t> params;
        for (size_t o = 0; o < OUT_CHANNELS; o++) {
            uint32_t folded = static_cast<uint32_t>(layer.bias[o]);
            for (size_t t = 0; t < kTaps; t++)
                folded -= static_cast<uint32_t>(layer.in_zero_point * layer.weights[o * kTaps + t]);
            params.push_back(static_cast<int32_t>(folded));
            params.push_back(layer.multiplier[o]);
            params.push_back(layer.shift[o]);
        }
        for (size_t w = 0, p = 0; w < layer.weights.size() || p < params.size();) {
            const bool weight = w < layer.weights.size() && !gap();
            const bool param = p < params.size() && !gap();
            dut.weight_valid_i = weight;
            dut.param_valid_i = param;
            if (weight)
                dut.weight_data_i = word(&layer.weights[w], IN_LANES, WEIGHT_WIDTH);
            if (param)
                dut.param_data_i = static_cast<uint32_t>(params[p]);
            dut.eval();
            w += weight && dut.weight_ready_o ? IN_LANES : 0;
            p += param && dut.param_ready_o ? 1 : 0;
            bench_.tick();
        }
        dut.weight_valid_i = dut.param_valid_i = 0;
    }

    void run(const Layer &layer, const std::vector<uint8_t> &want) {
        Vdut &dut = bench_.dut();
        const uint64_t limit = bench_.cycle() + 1000 + want.size() * (kTaps + 64) * 4;
        uint64_t start = 0;
        size_t sent = 0, got = 0;
        while (got < want.size()) {
            // Once offered, a word stays until it is taken.
            const bool send = sent < layer.input.size() && (offered_ || !gap());
            offered_ = send;
            dut.in_valid_i = send;
            if (send)
                dut.in_data_i = word(&layer.input[sent], IN_LANES, ACT_WIDTH);
            dut.out_ready_i = !gap();
            dut.eval();
            if (send && dut.in_ready_o) {
                if (sent == 0)
                    start = bench_.cycle();
                sent += IN_LANES;
                offered_ = false;
                bench_.count_vector();
            }
            if (held_)
                bench_.check(dut.out_valid_o && dut.out_data_o == held_data_,
                             "output %zu changed before it was taken", got);
            held_ = dut.out_valid_o && !dut.out_ready_i;
            held_data_ = dut.out_data_o;
            if (dut.out_valid_o && dut.out_ready_i) {
                bench_.check(dut.out_data_o == want[got],
                             "frame %zu, row %zu, column %zu, channel %zu: %u, expected %u",
                             got / kFrameOut, got / OUT_CHANNELS / kOutWidth % kOutHeight,
                             got / OUT_CHANNELS % kOutWidth, got % OUT_CHANNELS, dut.out_data_o,
                             want[got]);
                bench_.count_result();
                if (++got % kFrameOut == 0)
                    frame_ends_.push_back(bench_.cycle() + 1 - start);
            }
            bench_.tick();
            if (bench_.cycle() > limit) {
                bench_.check(false, "stuck after %zu of %zu inputs and %zu of %zu outputs", sent,
                             layer.input.size(), got, want.size());
                return;
            }
        }
        dut.in_valid_i = 0;
        for (int i = 0; i < 100; i++) {
            dut.out_ready_i = 1;
            bench_.tick();
            bench_.check(!dut.out_valid_o, "an output beyond the last");
        }
    }

    void print_cycles() const {
        if (frame_ends_.empty())
            return;
        const size_t frames = frame_ends_.size();
        const uint64_t first = frame_ends_.front(), last = frame_ends_.back();
        std::printf(
            "cycles %llu %llu\n", static_cast<unsigned long long>(first),
            static_cast<unsigned long long>(frames > 1 ? (last - first) / (frames - 1) : 0));
    }

  private:
    // Half of the cycles for a while, then none.
    bool gap() {
        if (!gaps_)
            return false;
        if (rng_.below(256) == 0)
            dense_ = !dense_;
        return dense_ && rng_.below(2);
    }
    template <typename T> static uint64_t word(const T *values, int lanes, int width) {
        uint64_t packed = 0;
        for (int i = 0; i < lanes; i++)
            packed |= (static_cast<uint64_t>(values[i]) & ((1u << width) - 1)) << (i * width);
        return packed;
    }

    Bench &bench_;
    Rng &rng_;
    bool gaps_;
    bool dense_ = true;
    bool offered_ = false;
    bool held_ = false;
    uint8_t held_data_ = 0;
    std::vector<uint64_t> frame_ends_;
};

} // namespace

int main(int argc, char **argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    Bench bench(argc, argv, mode == "random" ? 3 : mode == "quantized" ? 5 : 3);
    Rng rng(mode == "random" ? bench.argument(1) : 0);
    Layer layer;
    std::vector<uint8_t> want;
    if (mode == "random") {
        layer = random_layer(rng, bench.argument(2));
    } else if (mode == "quantized") {
        layer = quantized_layer(bench.text(1), bench.argument(2), std::atoi(bench.text(3)),
                                std::atoi(bench.text(4)));
    } else if (mode == "float") {
        layer = float_layer(bench.text(1), bench.argument(2));
    } else {
        std::fprintf(stderr, "%s: '%s' is not a mode\n", argv[0], mode.c_str());
        return 2;
    }
    want = reference_output(layer);
    if (mode == "quantized") {
        const auto golden = read<uint8_t>(std::string(bench.text(1)) + "/output", want.size());
        bench.check(golden == want, "the C kernel's output is not the golden one");
    }

    Engine engine(bench, rng, mode == "random");
    engine.load(layer);
    engine.run(layer, want);
    if (mode != "random")
        engine.print_cycles();
    return bench.finish();
}
