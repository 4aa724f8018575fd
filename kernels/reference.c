/**
 * The scalar reference: the specification of every result. Each output is the sum that the public
 * header writes down, nothing more; every other kernel must agree with it bit for bit on integers.
 */
#include "conv.h"
#include "requantize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct reference_plan {
    void *weights; /* as given */
    void *bias;    /* as given, or NULL */
    float *group_scale;
} reference_plan;

static bool supports(const nm_conv *conv, const void *weights, const void *bias) {
    (void)weights;
    (void)bias;

    return !conv->tier && conv->desc.algorithm != NM_ALGORITHM_WINOGRAD;
}

static void destroy(void *opaque) {
    reference_plan *plan = opaque;
    free(plan->weights);
    free(plan->bias);
    free(plan->group_scale);
    free(plan);
}

/** A copy of n bytes into *copy; NULL stays NULL. */
static bool copy_of(const void *source, size_t bytes, void *copy) {
    void *target = NULL;
    if (source) {
        target = nm_alloc(bytes);
        if (!target)
            return false;
        memcpy(target, source, bytes);
    }
    memcpy(copy, &target, sizeof target);
    return true;
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const nm_dtype weight_type = d->precision == NM_F32    ? NM_FLOAT32
                                 : d->precision == NM_W8A8 ? NM_INT8
                                                           : NM_INT4;
    const size_t weight_bytes = nm_tensor_bytes(weight_type, d->out_channels * conv->reduction);
    const size_t bias_bytes = d->out_channels * 4;
    const size_t scale_bytes =
        d->group_size ? d->out_channels * nm_ceil_div(conv->reduction, d->group_size) * 4 : 0;
    reference_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    if (!copy_of(weights, weight_bytes, &plan->weights) ||
        !copy_of(bias, bias_bytes, &plan->bias) ||
        !copy_of(d->group_size ? d->group_scale : NULL, scale_bytes, &plan->group_scale)) {
        destroy(plan);
        return NM_OUT_OF_MEMORY;
    }
    conv->plan = plan;
    conv->info.weight_bytes += weight_bytes + (bias ? bias_bytes : 0) + scale_bytes;
    static const char *const name[NM_PRECISION_COUNT] = {"f32", "w8a8", "w4a8", "w4a4"};
    snprintf(conv->kernel, sizeof conv->kernel, "%s_reference__scalar", name[d->precision]);
    return NM_OK;
}

static int32_t nibble(const uint8_t *packed, size_t i, bool is_signed) {
    const int32_t v = packed[i / 2] >> (i % 2 * 4) & 15;
    return is_signed ? (v ^ 8) - 8 : v;
}

static int32_t activation_at(const nm_conv *conv, const void *input, size_t i) {
    switch (conv->desc.input_type) {
    case NM_UINT8:
        return ((const uint8_t *)input)[i];
    case NM_INT8:
        return ((const int8_t *)input)[i];
    default:
        return nibble(input, i, conv->desc.input_type == NM_INT4);
    }
}

int32_t nm_weight_at(const nm_conv *conv, const void *weights, size_t o, size_t k) {
    const size_t i = o * conv->reduction + k;
    return conv->desc.precision == NM_W8A8 ? ((const int8_t *)weights)[i]
                                           : nibble(weights, i, true);
}

/** One output: its place in the output tensor and the group of channels that it sees. */
typedef struct output_at {
    size_t n, oh, ow, o, group;
} output_at;

/** Index of the input under tap (kh, kw), the group's first channel; false in the padding. */
static bool tap(const nm_conv *conv, output_at at, size_t kh, size_t kw, size_t *index) {
    const nm_conv_desc *d = &conv->desc;
    /* a tap in the top or left padding wraps to a huge value and fails the test */
    const size_t h = at.oh * d->stride[0] + kh * d->dilation[0] - d->padding[0];
    const size_t w = at.ow * d->stride[1] + kw * d->dilation[1] - d->padding[1];
    *index =
        ((at.n * d->in_height + h) * d->in_width + w) * d->in_channels + at.group * conv->group_in;
    return h < d->in_height && w < d->in_width;
}

static float dot_f32(const nm_conv *conv, output_at at, const float *input) {
    const nm_conv_desc *d = &conv->desc;
    const reference_plan *plan = conv->plan;
    const float *w = (const float *)plan->weights + at.o * conv->reduction;
    float acc = plan->bias ? ((const float *)plan->bias)[at.o] : 0.0f;
    size_t x;
    for (size_t kh = 0; kh < d->kernel_height; ++kh)
        for (size_t kw = 0; kw < d->kernel_width; ++kw, w += conv->group_in)
            if (tap(conv, at, kh, kw, &x))
                for (size_t c = 0; c < conv->group_in; ++c)
                    acc += input[x + c] * w[c];
    return acc;
}

/** The products of reduction indices begin..end, modulo 2^32. */
static uint32_t dot_int(const nm_conv *conv, output_at at, const void *input, size_t begin,
                        size_t end) {
    const nm_conv_desc *d = &conv->desc;
    const reference_plan *plan = conv->plan;
    uint32_t acc = 0;
    size_t k = 0, x;
    for (size_t kh = 0; kh < d->kernel_height; ++kh)
        for (size_t kw = 0; kw < d->kernel_width; ++kw) {
            if (k + conv->group_in <= begin || k >= end || !tap(conv, at, kh, kw, &x)) {
                k += conv->group_in;
                continue;
            }
            for (size_t c = 0; c < conv->group_in; ++c, ++k)
                if (k >= begin && k < end)
                    acc += (uint32_t)((activation_at(conv, input, x + c) - d->input_zero_point) *
                                      (nm_weight_at(conv, plan->weights, at.o, k) -
                                       d->weight_zero_point));
        }
    return acc;
}

/** The groups' sums, each by its own scale. */
static float dot_grouped(const nm_conv *conv, output_at at, const void *input) {
    const reference_plan *plan = conv->plan;
    const size_t size = conv->desc.group_size;
    const size_t groups = nm_ceil_div(conv->reduction, size);
    float acc = plan->bias ? ((const float *)plan->bias)[at.o] : 0.0f;
    for (size_t g = 0; g < groups; ++g) {
        const int32_t sum = (int32_t)dot_int(conv, at, input, g * size, (g + 1) * size);
        acc = fmaf(plan->group_scale[at.o * groups + g], (float)sum, acc);
    }
    return acc;
}

static void store(const nm_epilogue *e, size_t o, int32_t acc, void *output, size_t i) {
    if (e->type == NM_INT32) {
        ((int32_t *)output)[i] = acc < e->min ? e->min : acc > e->max ? e->max : acc;
    } else if (e->type == NM_FLOAT32) {
        const float y = (float)acc * e->scale[o];
        ((float *)output)[i] = y < e->min_f32 ? e->min_f32 : y > e->max_f32 ? e->max_f32 : y;
    } else {
        const int32_t q =
            e->rounding == NM_ROUNDING_FLOAT
                ? nm_round_float(acc, e->scale[o])
                : nm_round_tflite(acc, e->multiplier[o], e->shift_left[o] - e->shift_right[o]);
        const int32_t low = e->min - e->zero_point, high = e->max - e->zero_point;
        ((uint8_t *)output)[i] = (uint8_t)((q < low ? low : q > high ? high : q) + e->zero_point);
    }
}

static void store_f32(const nm_epilogue *e, size_t o, float acc, void *output, size_t i) {
    if (e->scale)
        acc *= e->scale[o];
    acc = acc < e->min_f32 ? e->min_f32 : acc > e->max_f32 ? e->max_f32 : acc;
    if (e->type == NM_FLOAT32)
        ((float *)output)[i] = acc;
    else
        ((uint8_t *)output)[i] = (uint8_t)((int32_t)lrintf(acc) + e->zero_point);
}

static void run(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads) {
    (void)workspace;
    const nm_conv_desc *d = &conv->desc;
    const reference_plan *plan = conv->plan;
    const nm_epilogue *e = &conv->epilogue;
    const size_t width = conv->info.out_width;
    const size_t pixels = d->batch * conv->info.out_height * width;
#pragma omp parallel for num_threads(threads)
    for (size_t p = 0; p < pixels; ++p)
        for (size_t o = 0; o < d->out_channels; ++o) {
            const output_at at = {.n = p / width / conv->info.out_height,
                                  .oh = p / width % conv->info.out_height,
                                  .ow = p % width,
                                  .o = o,
                                  .group = o / conv->group_out};
            const size_t i = p * d->out_channels + o;
            if (d->precision == NM_F32) {
                store_f32(e, o, dot_f32(conv, at, input), output, i);
            } else if (d->group_size) {
                store_f32(e, o, dot_grouped(conv, at, input), output, i);
            } else {
                const uint32_t bias = plan->bias ? (uint32_t)((const int32_t *)plan->bias)[o] : 0;
                const uint32_t acc = bias + dot_int(conv, at, input, 0, conv->reduction);
                store(e, o, (int32_t)acc, output, i);
            }
        }
}

static size_t workspace_size(const nm_conv *conv, unsigned threads) {
    (void)conv, (void)threads;
    return 0;
}

const nm_family nm_family_reference = {
    .algorithm = NM_ALGORITHM_DIRECT,
    .supports = supports,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};
