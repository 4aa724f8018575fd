/** One convolution of a network, quantized by a scheme and planned. */
#ifndef BENCH_NETWORK_CONV_H
#define BENCH_NETWORK_CONV_H

#include "network/network.h"

#include <narrowmac.h>

/** What computes, whatever the layer. */
struct conv_setting {
    nm_precision precision;
    nm_scheme scheme; /**< not for f32 */
    nm_isa isa;
    unsigned threads;
};

/** A layer's activations: their quantization, and whether they are bytes or packed nibbles. */
struct conv_io {
    size_t batch;
    nm_qparams input;         /**< of unsigned values, qmin 0; not for f32 */
    const nm_qparams *output; /**< bytes of this quantization; NULL for dequantized float32 */
};

struct conv_plan {
    nm_conv *conv;
    size_t workspace_size;
    unsigned threads;
};

/** 4 for w4a8 and w4a4, 8 for w8a8. */
int weight_bits(nm_precision precision);
/** The highest code of unsigned activations: 255, or 15 for w4a4. */
int32_t activation_qmax(nm_precision precision);
/** Whether the scheme exists at the precision: the group schemes are for int4 weights. */
bool scheme_applies(nm_precision precision, nm_scheme scheme);

/**
 * Plans layer, a LAYER_CONV: f32 takes and gives float32. The integer precisions take uint8, or
 * packed uint4 for w4a4; weights are quantized by the scheme, and the bias to int32 in units of
 * input scale x weight scale (kept float32 for the group schemes). ReLU is the output's clamp.
 */
bool conv_plan_create(const struct layer *layer, const struct conv_setting *setting,
                      const struct conv_io *io, struct conv_plan *plan, struct error *error);
void conv_plan_destroy(struct conv_plan *plan);

/** Plans from a filled description. @param name names the layer in errors. */
bool conv_plan_finish(const char *name, const nm_conv_desc *desc, const void *weights,
                      const void *bias, unsigned threads, struct conv_plan *plan,
                      struct error *error);

#endif
