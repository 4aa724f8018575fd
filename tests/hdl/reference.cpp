#include "reference.h"

#include <cstdio>
#include <cstdlib>

namespace {

std::vector<uint8_t> pack(const void *values, size_t n) {
    std::vector<uint8_t> packed((n + 1) / 2);
    nm_pack_int4(values, n, packed.data());
    return packed;
}

} // namespace

nm_precision reference_precision(int activation_bits, int weight_bits) {
    if (activation_bits == 8)
        return weight_bits == 8 ? NM_W8A8 : NM_W4A8;
    return NM_W4A4;
}

nm_dtype reference_input_type(int activation_bits, bool is_signed) {
    if (activation_bits == 8)
        return is_signed ? NM_INT8 : NM_UINT8;
    return is_signed ? NM_INT4 : NM_UINT4;
}

void reference_conv(nm_conv_desc desc, const std::vector<uint8_t> &input,
                    const std::vector<int8_t> &weights, const std::vector<int32_t> &bias,
                    void *output) {
    desc.isa = NM_ISA_SCALAR;
    desc.algorithm = NM_ALGORITHM_DIRECT;
    const std::vector<uint8_t> packed_weights = pack(weights.data(), weights.size());
    const std::vector<uint8_t> packed_input = pack(input.data(), input.size());
    const void *w = desc.precision == NM_W8A8 ? static_cast<const void *>(weights.data())
                                              : packed_weights.data();
    const void *x = desc.precision == NM_W4A4 ? packed_input.data() : input.data();

    nm_conv *conv = nullptr;
    nm_error error;
    if (nm_conv_create(&desc, w, bias.empty() ? nullptr : bias.data(), &conv, &error) != NM_OK) {
        std::fprintf(stderr, "reference: %s\n", error.message);
        std::exit(2);
    }
    void *workspace = nullptr;
    const size_t size = nm_conv_workspace_size(conv, 1);
    if (posix_memalign(&workspace, 64, size != 0 ? size : 64) != 0) {
        std::fprintf(stderr, "reference: no memory for a workspace of %zu bytes\n", size);
        std::exit(2);
    }
    nm_conv_run(conv, x, output, workspace, 1);
    std::free(workspace);
    nm_conv_destroy(conv);
}
