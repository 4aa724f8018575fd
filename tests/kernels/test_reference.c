/**
 * The scalar reference, which every other kernel is held against, is itself held against the naive
 * convolution; and every tier against properties that need no reference.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_case.h"
#include "dtype.h"
#include "naive.h"
#include "tap.h"

#define RANDOM_CASES 40
#define PROPERTY_CASES 20

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes + 1);
    if (memory == NULL)
        abort();
    return memory;
}

/** The library's output, or NULL with a diagnostic. */
static void *convolve(const nm_conv_desc *desc, const void *weights, const void *bias,
                      const void *input) {
    nm_conv *conv;
    nm_error error = {""};
    if (nm_conv_create(desc, weights, bias, &conv, &error) != NM_OK) {
        tap_diag("nm_conv_create: %s", error.message);
        return NULL;
    }
    const nm_conv_info info = nm_conv_get_info(conv);
    const size_t count = desc->batch * info.out_height * info.out_width * desc->out_channels;
    void *output = allocate(dtype_bytes(desc->output_type, count));
    void *workspace = aligned_alloc(64, nm_conv_workspace_size(conv, 1) / 64 * 64 + 64);
    nm_conv_run(conv, input, output, workspace, 1);
    free(workspace);
    nm_conv_destroy(conv);
    return output;
}

/* ---- Against the naive convolution -------------------------------------------------------- */

static bool near_naive(const conv_case *c, const float *output) {
    double *expected = allocate(c->output_count * sizeof *expected);
    double *magnitude = allocate(c->output_count * sizeof *magnitude);
    naive_f32(c, expected, magnitude);
    bool near = true;
    for (size_t i = 0; i < c->output_count; i++)
        near &= fabs(output[i] - expected[i]) <= naive_f32_tolerance(c, magnitude[i]);
    free(expected);
    free(magnitude);
    return near;
}

static bool equals_naive(const conv_case *c, const void *output) {
    const size_t bytes = dtype_bytes(c->desc.output_type, c->output_count);
    void *expected = allocate(bytes);
    naive_int(c, expected);
    const bool equal = memcmp(output, expected, bytes) == 0;
    free(expected);
    return equal;
}

static bool check_case(const conv_kind *kind, const conv_spec *spec, uint64_t seed) {
    tap_running("%s, %s, seed %llu", kind->name, spec->name, (unsigned long long)seed);
    conv_case c = conv_case_make(kind, spec, seed);
    c.desc.isa = NM_ISA_SCALAR;
    void *output = convolve(&c.desc, c.weights, c.bias, c.input);
    const bool right = output != NULL && (kind->precision == NM_F32 ? near_naive(&c, output)
                                                                    : equals_naive(&c, output));
    if (!right)
        tap_diag("%s: %s differs, seed %llu", kind->name, spec->name, (unsigned long long)seed);
    free(output);
    conv_case_free(&c);
    return right;
}

static void check_kind(const conv_kind *kind) {
    size_t count;
    const conv_spec *specs = conv_specs(&count);
    bool right = true;
    for (size_t i = 0; i < count; i += conv_spec_every())
        right &= check_case(kind, &specs[i], 1);
    for (uint64_t seed = 1; seed <= RANDOM_CASES; seed += conv_spec_every()) {
        const conv_spec spec = conv_spec_random(kind, seed);
        right &= check_case(kind, &spec, seed);
    }
    tap_ok(right, "reference equals naive: %s", kind->name);
}

/* ---- Properties --------------------------------------------------------------------------- */

/** Integer accumulators, no bias, weights with zero point 0 unless the property sets one. */
static nm_conv_desc property_desc(nm_precision precision, nm_isa isa, rng *r) {
    nm_conv_desc d;
    nm_conv_desc_init(&d);
    d.precision = precision;
    d.isa = isa;
    d.input_type = precision == NM_W4A4 ? NM_UINT4 : NM_UINT8;
    d.output_type = NM_INT32;
    d.input_zero_point = (int32_t)rng_between(r, 0, 15);
    d.in_height = (size_t)rng_between(r, 5, 12);
    d.in_width = (size_t)rng_between(r, 5, 12);
    d.in_channels = (size_t)rng_between(r, 1, 40);
    d.out_channels = (size_t)rng_between(r, 1, 40);
    d.kernel_height = (size_t)rng_between(r, 1, 5);
    d.kernel_width = (size_t)rng_between(r, 1, 5);
    for (size_t axis = 0; axis < 2; axis++)
        d.stride[axis] = (size_t)rng_between(r, 1, 2);
    return d;
}

static size_t input_count(const nm_conv_desc *d) {
    return d->batch * d->in_height * d->in_width * d->in_channels;
}

static size_t output_pixels(const nm_conv_desc *d) {
    size_t height, width;
    nm_conv_output_size(d, &height, &width, NULL);
    return d->batch * height * width;
}

static void *random_tensor(rng *r, nm_dtype type, size_t n, int32_t min, int32_t max) {
    void *values = allocate(dtype_bytes(type, n));
    for (size_t i = 0; i < n; i++)
        set_int(type, values, i, (int32_t)rng_between(r, min, max));
    return values;
}

static void *random_input(rng *r, const nm_conv_desc *d) {
    int32_t min, max;
    dtype_range(d->input_type, &min, &max);
    return random_tensor(r, d->input_type, input_count(d), min, max);
}

static bool take_equal(int32_t *a, int32_t *b, size_t n) {
    const bool equal = a != NULL && b != NULL && memcmp(a, b, n * sizeof *a) == 0;
    free(a);
    free(b);
    return equal;
}

/** conv(x, v + w) = conv(x, v) + conv(x, w) */
static bool linear_in_weights(nm_precision precision, nm_isa isa, rng *r) {
    const nm_conv_desc d = property_desc(precision, isa, r);
    const nm_dtype type = weight_type(precision);
    const size_t n = d.out_channels * conv_reduction(&d);
    int32_t min, max;
    dtype_range(type, &min, &max);
    void *v = random_tensor(r, type, n, min / 2, max / 2);
    void *w = random_tensor(r, type, n, min / 2, max / 2);
    void *both = allocate(dtype_bytes(type, n));
    for (size_t i = 0; i < n; i++)
        set_int(type, both, i, get_int(type, v, i) + get_int(type, w, i));
    void *x = random_input(r, &d);
    int32_t *of_v = convolve(&d, v, NULL, x);
    int32_t *of_w = convolve(&d, w, NULL, x);
    int32_t *of_both = convolve(&d, both, NULL, x);
    const size_t outputs = output_pixels(&d) * d.out_channels;
    for (size_t i = 0; of_v != NULL && of_w != NULL && i < outputs; i++)
        of_v[i] += of_w[i];
    free(of_w);
    free(v);
    free(w);
    free(both);
    free(x);
    return take_equal(of_v, of_both, outputs);
}

/** Moving the input down by the stride moves the output down by one. */
static bool translates_by_stride(nm_precision precision, nm_isa isa, rng *r) {
    const nm_conv_desc d = property_desc(precision, isa, r);
    nm_conv_desc moved = d;
    moved.in_height = d.in_height + d.stride[0];
    moved.in_width = d.in_width;
    int32_t min, max;
    dtype_range(weight_type(precision), &min, &max);
    void *w =
        random_tensor(r, weight_type(precision), d.out_channels * conv_reduction(&d), min, max);
    void *x = random_input(r, &d);
    void *below = random_input(r, &moved);
    const size_t offset = d.stride[0] * d.in_width * d.in_channels;
    for (size_t i = 0; i < input_count(&d); i++)
        set_int(d.input_type, below, offset + i, get_int(d.input_type, x, i));
    int32_t *of_x = convolve(&d, w, NULL, x);
    int32_t *of_below = convolve(&moved, w, NULL, below);
    const size_t outputs = output_pixels(&d) * d.out_channels;
    const size_t row = (output_pixels(&moved) - output_pixels(&d)) * d.out_channels;
    if (of_below != NULL)
        memmove(of_below, of_below + row, outputs * sizeof *of_below);
    free(w);
    free(x);
    free(below);
    return take_equal(of_x, of_below, outputs);
}

/** The one-hot kernel in its centre, with padding, gives x - zero point. */
static bool identity_kernel(nm_precision precision, nm_isa isa, rng *r) {
    nm_conv_desc d = property_desc(precision, isa, r);
    d.kernel_height = d.kernel_width = rng_next(r) % 2 == 0 ? 1 : 3;
    d.stride[0] = d.stride[1] = 1;
    for (size_t side = 0; side < 4; side++)
        d.padding[side] = d.kernel_height / 2;
    d.out_channels = d.in_channels;
    const nm_dtype type = weight_type(precision);
    const size_t taps = d.kernel_height * d.kernel_width;
    void *w = random_tensor(r, type, d.out_channels * conv_reduction(&d), 0, 0);
    for (size_t o = 0; o < d.out_channels; o++)
        set_int(type, w, (o * taps + taps / 2) * d.in_channels + o, 1);
    void *x = random_input(r, &d);
    const size_t outputs = input_count(&d);
    int32_t *expected = allocate(outputs * sizeof *expected);
    for (size_t i = 0; i < outputs; i++)
        expected[i] = get_int(d.input_type, x, i) - d.input_zero_point;
    int32_t *of_x = convolve(&d, w, NULL, x);
    free(w);
    free(x);
    return take_equal(of_x, expected, outputs);
}

/** Groups are a dense convolution whose weights outside of the blocks are the zero point. */
static bool groups_are_blocks(nm_precision precision, nm_isa isa, rng *r) {
    nm_conv_desc grouped = property_desc(precision, isa, r);
    const size_t groups = (size_t)rng_between(r, 1, 5);
    const size_t in_group = (size_t)rng_between(r, 1, 9), out_group = (size_t)rng_between(r, 1, 9);
    const nm_dtype type = weight_type(precision);
    int32_t min, max;
    dtype_range(type, &min, &max);
    grouped.weight_zero_point = (int32_t)rng_between(r, min, max);
    grouped.in_channels = groups * in_group;
    grouped.out_channels = groups * out_group;
    nm_conv_desc dense = grouped;
    grouped.groups = groups;
    const size_t taps = dense.kernel_height * dense.kernel_width;
    void *w = random_tensor(r, type, grouped.out_channels * taps * in_group, min, max);
    void *blocks = random_tensor(r, type, dense.out_channels * conv_reduction(&dense),
                                 dense.weight_zero_point, dense.weight_zero_point);
    for (size_t o = 0; o < dense.out_channels; o++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t c = 0; c < in_group; c++)
                set_int(type, blocks,
                        (o * taps + tap) * dense.in_channels + o / out_group * in_group + c,
                        get_int(type, w, (o * taps + tap) * in_group + c));
    void *x = random_input(r, &dense);
    int32_t *of_grouped = convolve(&grouped, w, NULL, x);
    int32_t *of_dense = convolve(&dense, blocks, NULL, x);
    free(w);
    free(blocks);
    free(x);
    return take_equal(of_grouped, of_dense, output_pixels(&dense) * dense.out_channels);
}

/** A batch is its images, one after another. */
static bool batch_is_images(nm_precision precision, nm_isa isa, rng *r) {
    const nm_conv_desc one = property_desc(precision, isa, r);
    nm_conv_desc batch = one;
    batch.batch = 3;
    int32_t min, max;
    dtype_range(weight_type(precision), &min, &max);
    void *w =
        random_tensor(r, weight_type(precision), one.out_channels * conv_reduction(&one), min, max);
    void *x = random_input(r, &batch);
    int32_t *of_batch = convolve(&batch, w, NULL, x);
    const size_t outputs = output_pixels(&one) * one.out_channels;
    bool equal = of_batch != NULL;
    for (size_t image = 0; image < batch.batch && equal; image++) {
        void *alone = allocate(dtype_bytes(one.input_type, input_count(&one)));
        for (size_t i = 0; i < input_count(&one); i++)
            set_int(one.input_type, alone, i,
                    get_int(one.input_type, x, image * input_count(&one) + i));
        int32_t *of_one = convolve(&one, w, NULL, alone);
        equal = of_one != NULL &&
                memcmp(of_one, of_batch + image * outputs, outputs * sizeof *of_one) == 0;
        free(of_one);
        free(alone);
    }
    free(of_batch);
    free(w);
    free(x);
    return equal;
}

static const struct {
    const char *name;
    bool (*holds)(nm_precision precision, nm_isa isa, rng *r);
} properties[] = {
    {"linear in the weights", linear_in_weights},
    {"translates by the stride", translates_by_stride},
    {"identity kernel", identity_kernel},
    {"groups are diagonal blocks", groups_are_blocks},
    {"a batch is its images", batch_is_images},
};

static void check_property(size_t property, nm_precision precision, nm_isa isa) {
    bool holds = true;
    for (uint64_t seed = 1; seed <= PROPERTY_CASES; seed++) {
        rng r = rng_named(seed, properties[property].name);
        tap_running("%s, seed %llu", properties[property].name, (unsigned long long)seed);
        if (properties[property].holds(precision, isa, &r))
            continue;
        tap_diag("fails with seed %llu", (unsigned long long)seed);
        holds = false;
    }
    tap_ok(holds, "%s: %s, %s", properties[property].name, nm_precision_name(precision),
           nm_isa_name(isa));
}

int main(void) {
    tap_catch_crashes();
    size_t count;
    const conv_kind *kinds = conv_kinds(&count);
    for (size_t i = 0; i < count; i++)
        if (kinds[i].algorithm == NM_ALGORITHM_DIRECT)
            check_kind(&kinds[i]);
    for (size_t property = 0; property < sizeof properties / sizeof *properties; property++)
        for (int precision = NM_W8A8; precision < NM_PRECISION_COUNT; precision++)
            for (int isa = NM_ISA_SCALAR; isa < NM_ISA_COUNT; isa++)
                if (nm_isa_available((nm_isa)isa))
                    check_property(property, (nm_precision)precision, (nm_isa)isa);
    return tap_done();
}
