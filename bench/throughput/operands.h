/** Reproducible tensors for a layer at one precision, and the scalar reference's output. */
#ifndef BENCH_OPERANDS_H
#define BENCH_OPERANDS_H

#include "base/error.h"
#include "throughput/suite.h"

#include <narrowmac.h>

/**
 * f32: all float32. Integer precisions: unsigned activations with zero point 0 (uint8; packed uint4
 * for w4a4), signed weights, int32 bias, one float scale for each output channel, uint8 output:
 * what the peers' u8 x s8 -> u8 convolutions take too.
 */
struct operands {
    nm_conv_desc desc; /**< complete but for isa and algorithm */
    void *input, *weights, *bias;
    float *scale; /**< NULL for f32 */
    size_t out_height, out_width;
    size_t output_count; /**< values */
    size_t output_bytes;
    void *reference;
};

/** @param threads for the reference. */
bool operands_create(const struct layer *layer, size_t batch, nm_precision precision,
                     unsigned threads, struct operands *operands, struct error *error);
void operands_destroy(struct operands *operands);

/** How an output compares with the reference. */
struct agreement {
    bool good;
    double largest;   /**< absolute difference */
    size_t differing; /**< values that are not equal */
};

/**
 * f32: |difference| <= 8 * 2^-24 * sqrt(K) * the largest |reference|, twice what the library
 * promises against a double-precision reference, as both sides round. Else: |difference| <= slack.
 */
struct agreement operands_compare(const struct operands *operands, const void *output, int slack);

#endif
