#include "network/network_pool.h"

#include <string.h>

/** One body for every type: the output pixel starts as the window's first and takes the maximum
 *  with each of the others, channel by channel. */
#define POOL(name, type)                                                                           \
    static void name##_pixel(const struct layer *layer, const type *window, type *output) {        \
        const size_t channels = layer->in.channels;                                                \
        memcpy(output, window, channels * sizeof *output);                                         \
        for (size_t y = 0; y < layer->kernel[0]; y++) {                                            \
            for (size_t x = 0; x < layer->kernel[1]; x++) {                                        \
                const type *pixel = window + (y * layer->in.width + x) * channels;                 \
                for (size_t c = 0; c < channels; c++)                                              \
                    output[c] = pixel[c] > output[c] ? pixel[c] : output[c];                       \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void name(const struct layer *layer, size_t images, const type *input, type *output) {         \
        const size_t channels = layer->in.channels;                                                \
        for (size_t image = 0; image < images; image++) {                                          \
            const type *base = input + image * volume_size(layer->in);                             \
            for (size_t y = 0; y < layer->out.height; y++) {                                       \
                for (size_t x = 0; x < layer->out.width; x++, output += channels) {                \
                    const size_t row = y * layer->stride[0], column = x * layer->stride[1];        \
                    name##_pixel(layer, base + (row * layer->in.width + column) * channels,        \
                                 output);                                                          \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

POOL(pool_float, float)
POOL(pool_uint8, uint8_t)
POOL(pool_int8, int8_t)
