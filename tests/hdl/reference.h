// The C library's scalar kernels as the benches' reference.
#pragma once

#include "narrowmac.h"

#include <cstdint>
#include <vector>

// Runs a convolution on the library's scalar tier; one value a byte in input and weights, whatever
// the precision. Exits with the library's message if it refuses.
void reference_conv(nm_conv_desc desc, const std::vector<uint8_t> &input,
                    const std::vector<int8_t> &weights, const std::vector<int32_t> &bias,
                    void *output);

// The precision with these operand widths; the library has no other.
nm_precision reference_precision(int activation_bits, int weight_bits);
nm_dtype reference_input_type(int activation_bits, bool is_signed);
