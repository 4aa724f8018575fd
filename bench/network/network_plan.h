/**
 * A whole network at one precision and scheme, planned once and run on many images: activations
 * stay bytes (or nibbles) from layer to layer, requantized by ranges that were fixed beforehand.
 */
#ifndef BENCH_NETWORK_PLAN_H
#define BENCH_NETWORK_PLAN_H

#include "network/network_trace.h"

#include <stdint.h>

struct network_plan;

/**
 * The quantization of every convolution's input, chosen by the setting's scheme on the float
 * activations of sample images.
 *
 * @param trace  of the float run on input.
 * @param ranges receives one entry a layer; those of pools are left as they are.
 */
void network_ranges(const struct network *network, const struct trace *trace, const float *input,
                    const struct conv_setting *setting, nm_qparams *ranges);

/**
 * @param ranges of network_ranges(); NULL for f32.
 * @param batch  images of one network_plan_run().
 */
bool network_plan_create(const struct network *network, const struct conv_setting *setting,
                         const nm_qparams *ranges, size_t batch, struct network_plan **plan,
                         struct error *error);
void network_plan_destroy(struct network_plan *plan);

/**
 * How many of the images are classified as labelled (the first of equal logits counts). Batches are
 * shared out among threads, each running its layers on one.
 *
 * @param pixels count images of 0..255, standing for 0..1.
 * @param done   called, by one thread at a time, with the images done so far; may be NULL.
 */
bool network_plan_top1(const struct network_plan *plan, const uint8_t *pixels,
                       const uint8_t *labels, size_t count, unsigned threads,
                       void (*done)(void *context, size_t images), void *context, size_t *right,
                       struct error *error);

#endif
