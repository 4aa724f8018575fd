/** Max pooling over NHWC tensors of the types that activations take. */
#ifndef BENCH_NETWORK_POOL_H
#define BENCH_NETWORK_POOL_H

#include "network/network.h"

#include <stdint.h>

/** @param layer a LAYER_POOL. Input and output hold images times its volumes, and are apart. */
void pool_float(const struct layer *layer, size_t images, const float *input, float *output);
void pool_uint8(const struct layer *layer, size_t images, const uint8_t *input, uint8_t *output);
void pool_int8(const struct layer *layer, size_t images, const int8_t *input, int8_t *output);

#endif
