/** What kinds of convolution there are, apart from their shapes. */
#ifndef CONV_KIND_H
#define CONV_KIND_H

#include "narrowmac.h"

typedef struct conv_kind {
    nm_precision precision;
    nm_dtype input, output;
    nm_rounding rounding;
    size_t group_size;
    nm_algorithm algorithm;
    char name[64]; /**< e.g. "w4a8/uint8-int8/float/group32/direct" */
} conv_kind;

/** Every combination of precision, types, rounding, scale groups and algorithm that exists. */
const conv_kind *conv_kinds(size_t *count);

#endif
