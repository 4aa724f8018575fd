#include "conv_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtype.h"

size_t conv_reduction(const nm_conv_desc *desc) {
    return desc->kernel_height * desc->kernel_width * (desc->in_channels / desc->groups);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes + 1);
    if (memory == NULL) {
        perror("conv_case");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static int32_t pick_int(rng *r, nm_dtype type, fill how) {
    int32_t min, max;
    dtype_range(type, &min, &max);
    switch (how) {
    case FILL_MIN:
        return min;
    case FILL_MAX:
        return max;
    case FILL_ENDS:
        return rng_next(r) % 2 == 0 ? min : max;
    default:
        return (int32_t)rng_between(r, min, max);
    }
}

static float pick_float(rng *r, fill how) {
    switch (how) {
    case FILL_MIN:
        return -1;
    case FILL_MAX:
        return 1;
    case FILL_ENDS:
        return rng_next(r) % 2 == 0 ? -1 : 1;
    default:
        return rng_unit(r);
    }
}

static void *make_tensor(rng *r, nm_dtype type, size_t n, fill how) {
    void *values = allocate(dtype_bytes(type, n));
    if (type == NM_FLOAT32) {
        for (size_t i = 0; i < n; i++)
            ((float *)values)[i] = pick_float(r, how);
        return values;
    }
    if (n % 2 != 0 && (type == NM_INT4 || type == NM_UINT4))
        ((uint8_t *)values)[n / 2] =
            (uint8_t)rng_next(r); /* the nibble after the last is anything */
    for (size_t i = 0; i < n; i++)
        set_int(type, values, i, pick_int(r, type, how));
    return values;
}

static int32_t pick_zero_point(rng *r, nm_dtype type, zero_point how) {
    int32_t min, max;
    dtype_range(type, &min, &max);
    switch (how) {
    case ZERO_MIN:
        return min;
    case ZERO_MAX:
        return max;
    case ZERO_NONE:
        return 0;
    default:
        /* 0 is common, and a path of its own in the kernels. */
        return min <= 0 && rng_next(r) % 3 == 0 ? 0 : (int32_t)rng_between(r, min, max);
    }
}

/** About as large as the sums are, now and then as large as can be. */
static void *make_bias(rng *r, bool is_float, size_t n, double spread) {
    if (rng_next(r) % 4 == 0)
        return NULL;
    const bool whole_range = rng_next(r) % 8 == 0;
    void *bias = allocate(n * 4);
    for (size_t i = 0; i < n; i++) {
        if (is_float)
            ((float *)bias)[i] = rng_unit(r) * (float)spread;
        else
            ((int32_t *)bias)[i] =
                whole_range ? (int32_t)rng_next(r) : (int32_t)(rng_unit(r) * (float)spread);
    }
    return bias;
}

/** A factor that brings sums of that spread into the 8-bit range, a little more or a lot less. */
static double pick_factor(rng *r, double spread) {
    return ldexp(128 / spread * (1.5 + rng_unit(r)), (int)rng_between(r, -3, 1));
}

static void make_scales(conv_case *c, rng *r, double spread) {
    nm_conv_desc *d = &c->desc;
    d->scale_count = rng_next(r) % 2 == 0 ? 1 : d->out_channels;
    c->scale = allocate(d->scale_count * sizeof *c->scale);
    c->multiplier = allocate(d->scale_count * sizeof *c->multiplier);
    c->shift = allocate(d->scale_count * sizeof *c->shift);
    static const int32_t multipliers[4] = {0, 1, 1 << 30, INT32_MAX};
    const bool extreme = rng_next(r) % 8 == 0;
    for (size_t i = 0; i < d->scale_count; i++) {
        const double factor = pick_factor(r, spread);
        c->scale[i] = (float)factor;
        int exponent;
        c->multiplier[i] = (int32_t)(frexp(factor, &exponent) * 0x1p31);
        c->shift[i] = exponent;
        if (extreme) {
            c->scale[i] = (float)ldexp(factor, (int)rng_between(r, -100, 100));
            c->scale[i] = rng_next(r) % 4 == 0 ? -c->scale[i] : c->scale[i];
            c->multiplier[i] = multipliers[rng_next(r) % 4];
            c->shift[i] = (int32_t)rng_between(r, -31, 30);
        }
    }
    d->scale = c->scale;
    d->multiplier = c->multiplier;
    d->shift = c->shift;
}

/** group_scale around 1, so that bias, sums and scale keep their proportions. */
static void make_group_scales(conv_case *c, rng *r) {
    const size_t n = c->desc.out_channels * ((conv_reduction(&c->desc) + 31) / 32);
    c->group_scale = allocate(n * sizeof *c->group_scale);
    for (size_t i = 0; i < n; i++)
        c->group_scale[i] = 1.25F + rng_unit(r);
    c->desc.group_scale = c->group_scale;
}

static void make_clamp(nm_conv_desc *d, rng *r, double spread) {
    const bool real = d->output_type == NM_FLOAT32 || d->output_type == NM_INT32;
    int32_t min, max;
    dtype_range(d->output_type, &min, &max);
    switch (rng_next(r) % 4) {
    case 0: /* ReLU */
        d->clamp_min = d->output_zero_point;
        break;
    case 1: /* ReLU6 and the like */
        d->clamp_min = real ? rint(-spread / 4) : (double)rng_between(r, min, max);
        d->clamp_max = real ? d->clamp_min + rint(spread / 2)
                            : (double)rng_between(r, (int64_t)d->clamp_min, max);
        break;
    default:
        break;
    }
}

/** How large sums of random terms are. */
static double typical_sum(const nm_conv_desc *d, const conv_kind *kind) {
    const double typical = kind->precision == NM_F32    ? 1
                           : kind->precision == NM_W8A8 ? 128 * 64
                           : kind->precision == NM_W4A8 ? 128 * 4
                                                        : 8 * 4;
    return typical * sqrt((double)conv_reduction(d)) + 8;
}

conv_case conv_case_make(const conv_kind *kind, const conv_spec *spec, uint64_t seed) {
    rng r = rng_named(seed, kind->name);
    conv_case c = {0};
    nm_conv_desc *d = &c.desc;
    nm_conv_desc_init(d);
    d->precision = kind->precision;
    d->batch = spec->batch;
    d->in_height = spec->height;
    d->in_width = spec->width;
    d->in_channels = spec->in_channels;
    d->out_channels = spec->out_channels;
    d->kernel_height = spec->kernel[0];
    d->kernel_width = spec->kernel[1];
    memcpy(d->stride, spec->stride, sizeof d->stride);
    memcpy(d->dilation, spec->dilation, sizeof d->dilation);
    memcpy(d->padding, spec->padding, sizeof d->padding);
    d->groups = spec->groups;
    d->input_type = kind->input;
    d->output_type = kind->output;
    d->rounding = kind->rounding;
    d->group_size = kind->group_size;
    d->algorithm = kind->algorithm;

    const bool is_float = kind->precision == NM_F32;
    const double spread = typical_sum(d, kind);
    if (!is_float) {
        d->input_zero_point = pick_zero_point(&r, kind->input, spec->input_zero);
        /* grouped scales and Winograd are symmetric */
        if (kind->group_size == 0 && kind->algorithm < NM_ALGORITHM_WINOGRAD)
            d->weight_zero_point =
                pick_zero_point(&r, weight_type(kind->precision), spec->weight_zero);
        if (kind->output == NM_INT8 || kind->output == NM_UINT8)
            /* the least output is a path of its own, too: ReLU */
            d->output_zero_point = pick_zero_point(
                &r, kind->output, rng_next(&r) % 4 == 0 ? ZERO_MIN : spec->output_zero);
        make_scales(&c, &r, spread);
        if (kind->group_size != 0)
            make_group_scales(&c, &r);
    }
    make_clamp(d, &r, kind->output == NM_FLOAT32 && !is_float ? 128 : spread);

    c.out_height = (d->in_height + d->padding[0] + d->padding[2] -
                    (d->kernel_height - 1) * d->dilation[0] - 1) /
                       d->stride[0] +
                   1;
    c.out_width =
        (d->in_width + d->padding[1] + d->padding[3] - (d->kernel_width - 1) * d->dilation[1] - 1) /
            d->stride[1] +
        1;
    c.input_count = d->batch * d->in_height * d->in_width * d->in_channels;
    c.weight_count = d->out_channels * conv_reduction(d);
    c.output_count = d->batch * c.out_height * c.out_width * d->out_channels;
    c.input = make_tensor(&r, kind->input, c.input_count, spec->input_fill);
    c.weights = make_tensor(&r, weight_type(kind->precision), c.weight_count, spec->weight_fill);
    c.bias = make_bias(&r, is_float || kind->group_size != 0, d->out_channels, spread);
    return c;
}

void conv_case_free(conv_case *c) {
    free(c->input);
    free(c->weights);
    free(c->bias);
    free(c->scale);
    free(c->group_scale);
    free(c->multiplier);
    free(c->shift);
}
