/** A convolution with its tensors: a kind, a spec and a seed give the same case on every machine.
 */
#ifndef CONV_CASE_H
#define CONV_CASE_H

#include "conv_kind.h"
#include "conv_spec.h"

typedef struct conv_case {
    nm_conv_desc desc; /**< its arrays belong to the case */
    size_t out_height, out_width;
    size_t input_count, weight_count, output_count; /**< values */
    void *input, *weights;
    void *bias; /**< or NULL */
    float *scale, *group_scale;
    int32_t *multiplier, *shift;
} conv_case;

conv_case conv_case_make(const conv_kind *kind, const conv_spec *spec, uint64_t seed);
void conv_case_free(conv_case *c);

/** Values of one filter: kernel height x width x channels of a group. */
size_t conv_reduction(const nm_conv_desc *desc);

#endif
