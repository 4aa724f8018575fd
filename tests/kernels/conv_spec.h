/** Shapes to test, and how their tensors are filled. */
#ifndef CONV_SPEC_H
#define CONV_SPEC_H

#include "conv_kind.h"
#include "rng.h"

typedef enum fill { FILL_RANDOM, FILL_MIN, FILL_MAX, FILL_ENDS } fill;
typedef enum zero_point { ZERO_RANDOM, ZERO_MIN, ZERO_MAX, ZERO_NONE } zero_point;

typedef struct conv_spec {
    char name[64];
    size_t batch, height, width, in_channels, out_channels;
    size_t kernel[2], stride[2], dilation[2], padding[4], groups;
    fill input_fill, weight_fill;
    zero_point input_zero, weight_zero, output_zero;
} conv_spec;

/** The directed specs: every operator variant, tails around the tile sizes, extreme values. */
const conv_spec *conv_specs(size_t *count);

/**
 * Slow machines (emulators, sanitizers) set NARROWMAC_TEST_EVERY=N in the environment to take each
 * Nth directed spec, and an Nth of the random ones. 1 when not set.
 */
size_t conv_spec_every(void);

/** Whether the kind's algorithm exists for the shape. */
bool conv_spec_fits(const conv_spec *spec, const conv_kind *kind);

/** A random spec, named "random", that fits the kind. */
conv_spec conv_spec_random(const conv_kind *kind, uint64_t seed);

#endif
