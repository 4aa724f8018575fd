/**
 * A network run layer by layer on float tensors, as the course report runs it: every convolution
 * quantizes its float input by that tensor's own range, sums in integers, and dequantizes.
 */
#ifndef BENCH_NETWORK_TRACE_H
#define BENCH_NETWORK_TRACE_H

#include "network/network_conv.h"

struct trace {
    size_t images;
    float **output; /**< of each layer: images times layer.out */
    size_t count;   /**< of layers */
};

/**
 * @param input   images times network.input.
 * @param goldens outputs that replace the run's own as the next layer's input, where they hold the
 *                layer's name; NULL to feed each layer what the one before gave.
 */
bool trace_run(const struct network *network, const struct conv_setting *setting,
               const float *input, size_t images, const struct safetensors *goldens,
               struct trace *trace, struct error *error);
void trace_destroy(struct trace *trace);

#endif
