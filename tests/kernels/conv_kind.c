#include "conv_kind.h"

#include <stdio.h>

#include "dtype.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool kind_exists(const conv_kind *k) {
    const bool eight_bits = k->output == NM_INT8 || k->output == NM_UINT8;
    if (k->rounding == NM_ROUNDING_FLOAT && !eight_bits)
        return false; /* rounding is for 8-bit outputs: one kind stands for both */
    /* There is a choice, and so something for auto to choose, only here. */
    const bool winograd = k->precision == NM_W8A8 || k->precision == NM_W4A8 ||
                          (k->precision == NM_W4A4 && k->algorithm != NM_ALGORITHM_WINOGRAD4);
    if (k->algorithm != NM_ALGORITHM_DIRECT && (!winograd || k->group_size != 0))
        return false;
    if (k->precision == NM_F32)
        return k->input == NM_FLOAT32 && k->output == NM_FLOAT32 && k->group_size == 0;
    const bool packed = k->input == NM_INT4 || k->input == NM_UINT4;
    if (k->input == NM_FLOAT32 || packed != (k->precision == NM_W4A4))
        return false;
    if (k->group_size == 0)
        return true;
    return k->precision != NM_W8A8 &&
           (k->output == NM_FLOAT32 || k->rounding == NM_ROUNDING_FLOAT) && k->output != NM_INT32;
}

static void name_kind(conv_kind *k) {
    const bool eight_bits = k->output == NM_INT8 || k->output == NM_UINT8;
    const char *rounding = k->rounding == NM_ROUNDING_TFLITE ? "/tflite" : "/float";
    snprintf(k->name, sizeof k->name, "%s/%s-%s%s%s/%s", nm_precision_name(k->precision),
             dtype_name(k->input), dtype_name(k->output), eight_bits ? rounding : "",
             k->group_size != 0 ? "/group32" : "", nm_algorithm_name(k->algorithm));
}

const conv_kind *conv_kinds(size_t *count) {
    static const nm_dtype inputs[] = {NM_FLOAT32, NM_INT8, NM_UINT8, NM_INT4, NM_UINT4};
    static const nm_dtype outputs[] = {NM_FLOAT32, NM_INT32, NM_INT8, NM_UINT8};
    static conv_kind kinds[256];
    size_t n = 0;
    for (int precision = 0; precision < NM_PRECISION_COUNT; precision++)
        for (size_t in = 0; in < COUNT(inputs); in++)
            for (size_t out = 0; out < COUNT(outputs); out++)
                for (int rounding = 0; rounding <= NM_ROUNDING_FLOAT; rounding++)
                    for (size_t group = 0; group <= 32; group += 32)
                        for (int algorithm = 0; algorithm < NM_ALGORITHM_COUNT; algorithm++) {
                            conv_kind kind = {.precision = (nm_precision)precision,
                                              .input = inputs[in],
                                              .output = outputs[out],
                                              .rounding = (nm_rounding)rounding,
                                              .group_size = group,
                                              .algorithm = (nm_algorithm)algorithm};
                            if (!kind_exists(&kind))
                                continue;
                            name_kind(&kind);
                            kinds[n++] = kind;
                        }
    *count = n;
    return kinds;
}
