/**
 * TensorFlow Lite's int8 form of a network, from a `narrowmac-tflite/1` file: each convolution's
 * and dense layer's quantization and tensors, and the int8 input and output of TensorFlow Lite's
 * reference kernels for the goldens' images.
 */
#ifndef BENCH_NETWORK_TFLITE_H
#define BENCH_NETWORK_TFLITE_H

#include "network/network_conv.h"

#include <stdint.h>

struct tflite_layer {
    const struct layer *layer;
    const int8_t *input, *output, *weights;
    const int32_t *bias;
    float input_scale, output_scale;
    int32_t input_zero_point, output_zero_point;
    float *weight_scale; /**< of each output channel */
    int32_t clamp[2];
};

struct tflite {
    size_t images;
    struct tflite_layer *layers; /**< the network's LAYER_CONV ones, in order */
    size_t layer_count;
    struct safetensors tensors;
};

/** Reads network.tflite and its tensors, and checks them against the network's shapes.
 *  @param images of the network's goldens, which TensorFlow Lite ran too. */
bool tflite_read(const struct network *network, size_t images, struct tflite *tflite,
                 struct error *error);
void tflite_destroy(struct tflite *tflite);

/** Plans a layer with TensorFlow Lite's own parameters: int8 in and out. */
bool tflite_plan(const struct tflite_layer *layer, nm_rounding rounding, size_t images, nm_isa isa,
                 unsigned threads, struct conv_plan *plan, struct error *error);

#endif
