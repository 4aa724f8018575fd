#include "throughput/operands.h"
#include "base/tensor.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/** xorshift64*: the same tensors on every machine. */
static uint32_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * 0x2545F4914F6CDD1DU) >> 32);
}

static void fill_integers(int8_t *values, size_t count, int min, int max, uint64_t *random) {
    const uint32_t span = (uint32_t)(max - min + 1);
    for (size_t i = 0; i < count; i++)
        values[i] = (int8_t)(min + (int)(((uint64_t)next_random(random) * span) >> 32));
}

static void fill_reals(float *values, size_t count, float min, float max, uint64_t *random) {
    for (size_t i = 0; i < count; i++)
        values[i] = min + (max - min) * (float)next_random(random) * 0x1p-32F;
}

static size_t input_count(const nm_conv_desc *d) {
    return d->batch * d->in_height * d->in_width * d->in_channels;
}

static size_t reduction(const nm_conv_desc *d) {
    return d->kernel_height * d->kernel_width * d->in_channels / d->groups;
}

static bool allocate(struct operands *o, size_t input, size_t weights) {
    const nm_conv_desc *d = &o->desc;
    const bool real = d->precision == NM_F32;
    o->input = aligned_bytes(input * (real ? sizeof(float) : 1));
    o->weights = aligned_bytes(weights * (real ? sizeof(float) : 1));
    o->bias = aligned_bytes(d->out_channels * 4);
    o->scale = real ? NULL : aligned_bytes(d->out_channels * sizeof(float));
    o->reference = aligned_bytes(o->output_bytes);
    return o->input && o->weights && o->bias && (real || o->scale) && o->reference;
}

static void fill_f32(struct operands *o, size_t input, size_t weights, uint64_t *random) {
    const float bound = 1 / sqrtf((float)reduction(&o->desc));
    fill_reals(o->input, input, 0, 1, random);
    fill_reals(o->weights, weights, -bound, bound, random);
    fill_reals(o->bias, o->desc.out_channels, -1, 1, random);
}

/** Scales bring half of the outputs into 1..255; the negative half clamps to 0, as ReLU's do. */
static void fill_quantized(struct operands *o, size_t input, size_t weights, uint64_t *random) {
    nm_conv_desc *d = &o->desc;
    const int input_max = d->precision == NM_W4A4 ? 15 : 255;
    const int weight_max = d->precision == NM_W8A8 ? 127 : 7;
    fill_integers(o->input, input, 0, input_max, random);
    fill_integers(o->weights, weights, -weight_max - (weight_max == 7), weight_max, random);
    const double deviation =
        sqrt((double)reduction(d)) * input_max / sqrt(3.0) * weight_max / sqrt(3.0);
    int32_t *bias = o->bias;
    for (size_t c = 0; c < d->out_channels; c++) {
        float spread;
        fill_reals(&spread, 1, 0.8F, 1.25F, random);
        bias[c] = (int32_t)((next_random(random) * 0x1p-32 - 0.5) * deviation);
        o->scale[c] = (float)(64 / deviation) * spread;
    }
    d->scale = o->scale;
    d->scale_count = d->out_channels;
}

/** Replaces values, a nibble a byte, by two a byte. */
static bool pack(void **values, size_t count) {
    uint8_t *packed = aligned_bytes((count + 1) / 2);
    if (!packed)
        return false;
    nm_pack_int4(*values, count, packed);
    free(*values);
    *values = packed;
    return true;
}

static bool run_reference(struct operands *o, unsigned threads, const char *what,
                          struct error *error) {
    nm_conv_desc desc = o->desc;
    desc.isa = NM_ISA_SCALAR;
    nm_conv *conv;
    nm_error reason;
    if (nm_conv_create(&desc, o->weights, o->bias, &conv, &reason) != NM_OK)
        return fail(error, "%s: %s", what, reason.message);
    void *workspace = aligned_bytes(nm_conv_workspace_size(conv, threads));
    if (workspace)
        nm_conv_run(conv, o->input, o->reference, workspace, threads);
    nm_conv_destroy(conv);
    free(workspace);
    return workspace || fail_memory(error, what);
}

static bool create(struct operands *o, unsigned threads, const char *what, struct error *error) {
    nm_conv_desc *d = &o->desc;
    nm_error reason;
    if (nm_conv_output_size(d, &o->out_height, &o->out_width, &reason) != NM_OK)
        return fail(error, "%s: %s", what, reason.message);
    const size_t input = input_count(d), weights = reduction(d) * d->out_channels;
    const bool real = d->precision == NM_F32;
    o->output_count = d->batch * o->out_height * o->out_width * d->out_channels;
    o->output_bytes = o->output_count * (real ? sizeof(float) : 1);
    if (!allocate(o, input, weights))
        return fail_memory(error, what);
    uint64_t random = 0x9E3779B97F4A7C15U;
    if (real)
        fill_f32(o, input, weights, &random);
    else
        fill_quantized(o, input, weights, &random);
    if ((d->precision == NM_W4A4 && !pack(&o->input, input)) ||
        ((d->precision == NM_W4A4 || d->precision == NM_W4A8) && !pack(&o->weights, weights)))
        return fail_memory(error, what);
    return run_reference(o, threads, what, error);
}

bool operands_create(const struct layer *layer, size_t batch, nm_precision precision,
                     unsigned threads, struct operands *operands, struct error *error) {
    const bool real = precision == NM_F32;
    *operands = (struct operands){.desc = layer_desc(layer, batch)};
    operands->desc.precision = precision;
    operands->desc.input_type = real ? NM_FLOAT32 : precision == NM_W4A4 ? NM_UINT4 : NM_UINT8;
    operands->desc.output_type = real ? NM_FLOAT32 : NM_UINT8;
    operands->desc.rounding = NM_ROUNDING_FLOAT;
    if (create(operands, threads, layer->name, error))
        return true;
    operands_destroy(operands);
    return false;
}

void operands_destroy(struct operands *operands) {
    free(operands->input);
    free(operands->weights);
    free(operands->bias);
    free(operands->scale);
    free(operands->reference);
    *operands = (struct operands){0};
}

static struct agreement compare_f32(const struct operands *o, const float *output) {
    const float *reference = o->reference;
    struct agreement a = {.good = true};
    double peak = 0;
    for (size_t i = 0; i < o->output_count; i++) {
        const double difference = fabs((double)output[i] - (double)reference[i]);
        peak = fmax(peak, fabs((double)reference[i]));
        a.differing += output[i] != reference[i];
        a.good = a.good && isfinite(output[i]);
        a.largest = fmax(a.largest, difference);
    }
    a.good = a.good && a.largest <= 8 * 0x1p-24 * sqrt((double)reduction(&o->desc)) * peak;
    return a;
}

struct agreement operands_compare(const struct operands *operands, const void *output, int slack) {
    if (operands->desc.precision == NM_F32)
        return compare_f32(operands, output);
    const uint8_t *got = output, *reference = operands->reference;
    struct agreement a = {0};
    for (size_t i = 0; i < operands->output_count; i++) {
        a.differing += got[i] != reference[i];
        a.largest = fmax(a.largest, abs(got[i] - reference[i]));
    }
    a.good = a.largest <= slack;
    return a;
}
