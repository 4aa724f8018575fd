/**
 * Layers that outgrow the caches, by the images of a batch together, which plans take in rounds of
 * a few, or by Winograd's weights, for which they take chunks of the map: every image comes out as
 * the scalar reference has it, which takes whole batches, or, in floats, as alone.
 */
#include "dtype.h"
#include "narrowmac.h"
#include "rng.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

typedef struct layer {
    const char *name;
    size_t batch, size, in_channels, out_channels, groups, kernel;
    nm_algorithm algorithm;
    nm_dtype output; /* of integers; long sums would all saturate 8 bits */
} layer;

static const layer layers[] = {
    {"3x3, two images a round", 4, 229, 5, 1, 1, 3, NM_ALGORITHM_AUTO, NM_UINT8},
    {"1x1, an odd batch of odd nibbles", 3, 229, 5, 2, 1, 1, NM_ALGORITHM_AUTO, NM_UINT8},
    {"1x1, an image a round", 2, 160, 26, 10, 1, 1, NM_ALGORITHM_AUTO, NM_UINT8},
    {"1x1, pixels asked for as tiles go", 2, 120, 90, 10, 1, 1, NM_ALGORITHM_AUTO, NM_UINT8},
    {"depthwise", 3, 130, 32, 32, 32, 3, NM_ALGORITHM_AUTO, NM_UINT8},
    {"3x3, chunks of Winograd tiles", 1, 14, 1024, 70, 1, 3, NM_ALGORITHM_WINOGRAD, NM_INT32},
    {"3x3, chunks of Winograd tiles of 4x4", 1, 33, 320, 40, 1, 3, NM_ALGORITHM_WINOGRAD4,
     NM_INT32},
};

static nm_conv_desc describe(const layer *l, nm_precision precision) {
    static const float scale = 0.01F;
    nm_conv_desc d;
    nm_conv_desc_init(&d);
    d.precision = precision;
    d.batch = l->batch;
    d.in_height = d.in_width = l->size;
    d.in_channels = l->in_channels;
    d.out_channels = l->out_channels;
    d.groups = l->groups;
    d.kernel_height = d.kernel_width = l->kernel;
    for (int i = 0; i < 4; ++i)
        d.padding[i] = l->kernel / 2;
    const bool real = precision == NM_F32;
    d.input_type = real ? NM_FLOAT32 : precision == NM_W4A4 ? NM_UINT4 : NM_UINT8;
    d.output_type = real ? NM_FLOAT32 : l->output;
    d.rounding = NM_ROUNDING_FLOAT;
    d.scale = &scale;
    d.scale_count = 1;
    return d;
}

/** `count` random values of the type; the caller frees them. */
static void *random_tensor(nm_dtype type, size_t count, rng *r) {
    const size_t bytes = dtype_bytes(type, count);
    uint8_t *values = malloc(bytes);
    rng_fill(r, values, bytes);
    for (size_t i = 0; type == NM_FLOAT32 && i < count; ++i)
        ((float *)values)[i] = (float)rng_between(r, -64, 64) / 64;
    return values;
}

/** Runs the plan `times` times, on one image after another, if it can be made. */
static nm_status run(const nm_conv_desc *d, const void *weights, const char *input, char *output,
                     size_t times, unsigned threads) {
    nm_conv *conv;
    nm_error error;
    const nm_status status = nm_conv_create(d, weights, NULL, &conv, &error);
    if (status != NM_OK) {
        tap_diag("%s", error.message);
        return status;
    }
    const nm_conv_info info = nm_conv_get_info(conv);
    const size_t in = d->batch * d->in_height * d->in_width * d->in_channels;
    const size_t out = d->batch * info.out_height * info.out_width * d->out_channels;
    const size_t workspace_bytes = nm_conv_workspace_size(conv, threads);
    void *workspace = aligned_alloc(64, (workspace_bytes + 64) / 64 * 64);
    for (size_t i = 0; i < times; ++i)
        nm_conv_run(conv, input + i * dtype_bytes(d->input_type, in),
                    output + i * dtype_bytes(d->output_type, out), workspace, threads);
    free(workspace);
    nm_conv_destroy(conv);
    return NM_OK;
}

/** Compares with the reference; NM_UNSUPPORTED where there is no kernel. */
static nm_status compare(const layer *l, nm_precision precision, nm_isa isa, unsigned threads,
                         bool *same) {
    rng r = rng_named(1, l->name);
    nm_conv_desc d = describe(l, precision), expected = d;
    const size_t weight_count =
        l->out_channels * l->kernel * l->kernel * l->in_channels / l->groups;
    void *weights = random_tensor(weight_type(precision), weight_count, &r);
    char *input = random_tensor(d.input_type, l->batch * l->size * l->size * l->in_channels, &r);
    const size_t bytes = dtype_bytes(d.output_type, l->batch * l->size * l->size * l->out_channels);
    char *batch = malloc(bytes), *reference = malloc(bytes);
    d.isa = isa;
    d.algorithm = l->algorithm;
    expected.isa = precision == NM_F32 ? isa : NM_ISA_SCALAR;
    expected.batch = precision == NM_F32 ? 1 : l->batch;
    nm_status status = run(&d, weights, input, batch, 1, threads);
    if (status == NM_OK)
        status = run(&expected, weights, input, reference, l->batch / expected.batch, 1);
    *same = status == NM_OK && memcmp(batch, reference, bytes) == 0;
    free(weights);
    free(input);
    free(batch);
    free(reference);
    return status;
}

static void check(const layer *l, nm_precision precision, nm_isa isa, unsigned threads) {
    bool same;
    const char *reason = "not on this CPU or not in this build";
    if (nm_isa_available(isa)) {
        const nm_status status = compare(l, precision, isa, threads, &same);
        if (status != NM_UNSUPPORTED || l->algorithm == NM_ALGORITHM_AUTO) {
            tap_ok(same, "%s, %s, %s", l->name, nm_precision_name(precision), nm_isa_name(isa));
            return;
        }
        reason = "no Winograd of that precision on that tier";
    }
    tap_skip(reason, "%s, %s, %s", l->name, nm_precision_name(precision), nm_isa_name(isa));
}

int main(void) {
    for (size_t i = 0; i < sizeof layers / sizeof *layers; ++i)
        for (int precision = 0; precision < NM_PRECISION_COUNT; ++precision)
            for (int isa = NM_ISA_SCALAR; isa < NM_ISA_COUNT; ++isa) {
                const unsigned threads = 1 + (unsigned)(i + (size_t)isa) % 2;
                check(&layers[i], (nm_precision)precision, (nm_isa)isa, threads);
            }
    return tap_done();
}
