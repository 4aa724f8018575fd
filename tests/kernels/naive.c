#include "naive.h"

#include <math.h>
#include <stdlib.h>

#include "dtype.h"

/** Called for every input value that is multiplied by a weight for an output. */
typedef void tap_fn(void *context, size_t output, size_t input, size_t weight, size_t term);

/**
 * The output index that input index i reaches through kernel tap k, or -1: the inverse of
 * i = o * stride + k * dilation - padding.
 */
static ptrdiff_t reached(size_t i, size_t k, size_t stride, size_t dilation, size_t padding,
                         size_t outputs) {
    const ptrdiff_t scaled = (ptrdiff_t)(i + padding) - (ptrdiff_t)(k * dilation);
    if (scaled < 0 || (size_t)scaled % stride != 0 || (size_t)scaled / stride >= outputs)
        return -1;
    return scaled / (ptrdiff_t)stride;
}

/** Every (output pixel, input pixel, kernel tap) that touch: channels are the caller's. */
static void scatter_pixel(const conv_case *c, size_t image, size_t y, size_t x, tap_fn *tap,
                          void *context) {
    const nm_conv_desc *d = &c->desc;
    const size_t in_group = d->in_channels / d->groups, out_group = d->out_channels / d->groups;
    for (size_t ky = 0; ky < d->kernel_height; ky++)
        for (size_t kx = 0; kx < d->kernel_width; kx++) {
            const ptrdiff_t oy =
                reached(y, ky, d->stride[0], d->dilation[0], d->padding[0], c->out_height);
            const ptrdiff_t ox =
                reached(x, kx, d->stride[1], d->dilation[1], d->padding[1], c->out_width);
            if (oy < 0 || ox < 0)
                continue;
            const size_t out_pixel =
                (image * c->out_height + (size_t)oy) * c->out_width + (size_t)ox;
            const size_t in_pixel = (image * d->in_height + y) * d->in_width + x;
            const size_t kernel_tap = ky * d->kernel_width + kx;
            for (size_t ic = 0; ic < d->in_channels; ic++)
                for (size_t o = 0; o < out_group; o++) {
                    const size_t oc = ic / in_group * out_group + o;
                    const size_t term = kernel_tap * in_group + ic % in_group;
                    tap(context, out_pixel * d->out_channels + oc, in_pixel * d->in_channels + ic,
                        oc * conv_reduction(d) + term, term);
                }
        }
}

static void scatter(const conv_case *c, tap_fn *tap, void *context) {
    for (size_t image = 0; image < c->desc.batch; image++)
        for (size_t y = 0; y < c->desc.in_height; y++)
            for (size_t x = 0; x < c->desc.in_width; x++)
                scatter_pixel(c, image, y, x, tap, context);
}

static void *zeros(size_t n, size_t size) {
    void *memory = calloc(n + 1, size);
    if (memory == NULL)
        abort();
    return memory;
}

static double clamp(double value, double min, double max) {
    return value < min ? min : value > max ? max : value;
}

/* ---- Integers ----------------------------------------------------------------------------- */

int32_t naive_requantize_tflite(int32_t acc, int32_t multiplier, int32_t shift) {
    /* Left shift in int32, then the nudged product divided by 2^31 towards zero. */
    const int64_t left = (int64_t)1 << (shift > 0 ? shift : 0);
    const int32_t shifted = (int32_t)(uint32_t)((uint64_t)acc * (uint64_t)left);
    const int64_t product = (int64_t)shifted * multiplier;
    const int64_t nudge = product >= 0 ? 1LL << 30 : 1 - (1LL << 30);
    const int64_t high = (product + nudge) / (1LL << 31);
    /* Right shift: round() takes ties away from zero, and a double holds every int32 exactly. */
    return (int32_t)round((double)high / ldexp(1, shift < 0 ? -shift : 0));
}

int32_t naive_requantize_float(int32_t acc, float scale) {
    const float product = (float)acc * scale;
    return (int32_t)clamp(nearbyint((double)product), INT32_MIN, INT32_MAX);
}

typedef struct int_sums {
    const conv_case *c;
    size_t groups; /**< scale groups of an output */
    int64_t *sum;  /**< [output][group] */
} int_sums;

static void add_int(void *context, size_t output, size_t input, size_t weight, size_t term) {
    int_sums *s = context;
    const nm_conv_desc *d = &s->c->desc;
    const int64_t x = get_int(d->input_type, s->c->input, input) - d->input_zero_point;
    const int64_t w =
        get_int(weight_type(d->precision), s->c->weights, weight) - d->weight_zero_point;
    const size_t group = d->group_size != 0 ? term / d->group_size : 0;
    s->sum[output * s->groups + group] += x * w;
}

static void store_int(const conv_case *c, void *output, size_t i, double value) {
    int32_t min, max;
    dtype_range(c->desc.output_type, &min, &max);
    value = clamp(clamp(value, c->desc.clamp_min, c->desc.clamp_max), min, max);
    set_int(c->desc.output_type, output, i, (int32_t)value);
}

static void store_f32(const conv_case *c, void *output, size_t i, float value) {
    ((float *)output)[i] = (float)clamp(value, c->desc.clamp_min, c->desc.clamp_max);
}

static void finish_int(const conv_case *c, size_t i, int64_t sum, void *output) {
    const nm_conv_desc *d = &c->desc;
    const size_t channel = i % d->out_channels;
    const size_t scale = d->scale_count == 1 ? 0 : channel;
    const int64_t bias = c->bias != NULL ? ((const int32_t *)c->bias)[channel] : 0;
    const int32_t acc = (int32_t)(uint32_t)(uint64_t)(sum + bias);
    if (d->output_type == NM_INT32)
        store_int(c, output, i, acc);
    else if (d->output_type == NM_FLOAT32)
        store_f32(c, output, i, (float)acc * c->scale[scale]);
    else if (d->rounding == NM_ROUNDING_FLOAT)
        store_int(c, output, i,
                  (double)naive_requantize_float(acc, c->scale[scale]) + d->output_zero_point);
    else
        store_int(c, output, i,
                  (double)naive_requantize_tflite(acc, c->multiplier[scale], c->shift[scale]) +
                      d->output_zero_point);
}

static void finish_grouped(const conv_case *c, size_t i, size_t groups, const int64_t *sums,
                           void *output) {
    const nm_conv_desc *d = &c->desc;
    const size_t channel = i % d->out_channels;
    float acc = c->bias != NULL ? ((const float *)c->bias)[channel] : 0;
    for (size_t g = 0; g < groups; g++)
        acc = fmaf(c->group_scale[channel * groups + g], (float)sums[g], acc);
    const float value = acc * c->scale[d->scale_count == 1 ? 0 : channel];
    if (d->output_type == NM_FLOAT32)
        store_f32(c, output, i, value);
    else
        store_int(c, output, i,
                  clamp(nearbyint((double)value), INT32_MIN, INT32_MAX) + d->output_zero_point);
}

void naive_int(const conv_case *c, void *output) {
    const size_t size = c->desc.group_size;
    int_sums s = {.c = c, .groups = size != 0 ? (conv_reduction(&c->desc) + size - 1) / size : 1};
    s.sum = zeros(c->output_count * s.groups, sizeof *s.sum);
    scatter(c, add_int, &s);
    for (size_t i = 0; i < c->output_count; i++) {
        if (size != 0)
            finish_grouped(c, i, s.groups, s.sum + i * s.groups, output);
        else
            finish_int(c, i, s.sum[i], output);
    }
    free(s.sum);
}

/* ---- Floats ------------------------------------------------------------------------------- */

typedef struct f32_sums {
    const float *input, *weights;
    double *sum, *magnitude;
} f32_sums;

static void add_f32(void *context, size_t output, size_t input, size_t weight, size_t term) {
    (void)term;
    f32_sums *s = context;
    const double product = (double)s->input[input] * s->weights[weight];
    s->sum[output] += product;
    s->magnitude[output] += fabs(product);
}

void naive_f32(const conv_case *c, double *output, double *magnitude) {
    for (size_t i = 0; i < c->output_count; i++) {
        output[i] = c->bias != NULL ? ((const float *)c->bias)[i % c->desc.out_channels] : 0;
        magnitude[i] = fabs(output[i]);
    }
    f32_sums s = {c->input, c->weights, output, magnitude};
    scatter(c, add_f32, &s);
    for (size_t i = 0; i < c->output_count; i++)
        output[i] = clamp(output[i], c->desc.clamp_min, c->desc.clamp_max);
}

double naive_f32_tolerance(const conv_case *c, double magnitude) {
    const double ulp = 0x1p-23;
    return 4 * ulp * sqrt((double)conv_reduction(&c->desc) + 1) * magnitude;
}
