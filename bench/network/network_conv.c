#include "network/network_conv.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_SIZE = 32 };

int weight_bits(nm_precision precision) { return precision == NM_W8A8 ? 8 : 4; }

int32_t activation_qmax(nm_precision precision) { return precision == NM_W4A4 ? 15 : 255; }

static bool is_group_scheme(nm_scheme scheme) {
    return scheme == NM_SCHEME_GROUP32 || scheme == NM_SCHEME_GROUP32_MSE;
}

static bool is_mse_scheme(nm_scheme scheme) {
    return scheme == NM_SCHEME_MSE || scheme == NM_SCHEME_GROUP32_MSE;
}

bool scheme_applies(nm_precision precision, nm_scheme scheme) {
    return precision != NM_F32 && !(precision == NM_W8A8 && is_group_scheme(scheme));
}

bool conv_plan_finish(const char *name, const nm_conv_desc *desc, const void *weights,
                      const void *bias, unsigned threads, struct conv_plan *plan,
                      struct error *error) {
    nm_error why;
    *plan = (struct conv_plan){.threads = threads};
    if (nm_conv_create(desc, weights, bias, &plan->conv, &why) != NM_OK)
        return fail(error, "layer %s: %s", name, why.message);
    plan->workspace_size = nm_conv_workspace_size(plan->conv, threads);
    return true;
}

void conv_plan_destroy(struct conv_plan *plan) {
    nm_conv_destroy(plan->conv);
    plan->conv = NULL;
}

static bool plan_f32(const struct layer *layer, const struct conv_setting *setting, size_t batch,
                     struct conv_plan *plan, struct error *error) {
    nm_conv_desc desc = conv_desc_of(layer, batch);
    desc.precision = NM_F32;
    desc.isa = setting->isa;
    desc.input_type = desc.output_type = NM_FLOAT32;
    desc.clamp_min = layer->relu ? 0 : -INFINITY;
    return conv_plan_finish(layer->name, &desc, layer->weights, layer->bias, setting->threads, plan,
                            error);
}

/** A layer's weights by a scheme, with what nm_conv_create() takes beside them. */
struct quantized {
    int8_t *weights; /**< packed for int4 */
    int32_t zero_point;
    float *factor; /**< input scale x weight scale: real units of an accumulator, [o] or [o][g] */
    int32_t *bias; /**< in units of factor */
};

static void quantized_free(struct quantized *quantized) {
    free(quantized->weights);
    free(quantized->factor);
    free(quantized->bias);
}

static bool quantize_layer(const struct layer *layer, const struct conv_setting *setting,
                           float input_scale, struct quantized *quantized, struct error *error) {
    const size_t channels = layer->out.channels, k = layer_reduction(layer);
    const bool grouped = is_group_scheme(setting->scheme);
    const size_t scales = grouped ? channels * ((k + GROUP_SIZE - 1) / GROUP_SIZE) : channels;
    *quantized = (struct quantized){.weights = need(channels * k, 1),
                                    .factor = need(scales, sizeof(float)),
                                    .bias = need(channels, sizeof(int32_t))};
    nm_error why;
    const int bits = weight_bits(setting->precision);
    nm_status status =
        nm_quantize_weights(setting->scheme, bits, layer->weights, channels, k, quantized->weights,
                            quantized->factor, &quantized->zero_point, &why);
    if (status == NM_OK && is_mse_scheme(setting->scheme)) {
        const size_t taps = layer->kernel[0] * layer->kernel[1];
        status = nm_balance_weights(bits, layer->weights, channels, taps, k / taps,
                                    grouped ? GROUP_SIZE : 0, quantized->factor, quantized->weights,
                                    &why);
    }
    if (status != NM_OK)
        return fail(error, "layer %s: %s", layer->name, why.message);
    for (size_t i = 0; i < scales; i++)
        quantized->factor[i] *= input_scale;
    for (size_t o = 0; o < channels && !grouped; o++) {
        const double bias = rint((double)layer->bias[o] / quantized->factor[o]);
        quantized->bias[o] = (int32_t)fmin(fmax(bias, INT32_MIN), INT32_MAX);
    }
    if (bits == 4) {
        uint8_t *packed = need((channels * k + 1) / 2, 1);
        nm_pack_int4(quantized->weights, channels * k, packed);
        free(quantized->weights);
        quantized->weights = (int8_t *)packed;
    }
    return true;
}

static bool plan_quantized(const struct layer *layer, const struct conv_setting *setting,
                           const struct conv_io *io, const struct quantized *quantized,
                           struct conv_plan *plan, struct error *error) {
    const bool grouped = is_group_scheme(setting->scheme);
    const size_t channels = layer->out.channels;
    nm_conv_desc desc = conv_desc_of(layer, io->batch);
    desc.precision = setting->precision;
    desc.isa = setting->isa;
    desc.input_type = setting->precision == NM_W4A4 ? NM_UINT4 : NM_UINT8;
    desc.input_zero_point = io->input.zero_point;
    desc.weight_zero_point = quantized->zero_point;
    desc.output_type = io->output ? NM_UINT8 : NM_FLOAT32;
    desc.rounding = NM_ROUNDING_FLOAT;
    desc.clamp_min = layer->relu ? 0 : -INFINITY;
    // A group scheme's accumulator is in real units already.
    const float per_unit = io->output ? 1 / io->output->scale : 1;
    float *scale = need(channels, sizeof *scale);
    for (size_t o = 0; o < channels; o++)
        scale[o] = grouped ? per_unit : quantized->factor[o] * per_unit;
    desc.scale = scale;
    desc.scale_count = channels;
    if (grouped) {
        desc.group_size = GROUP_SIZE;
        desc.group_scale = quantized->factor;
    }
    if (io->output) {
        desc.output_zero_point = io->output->zero_point;
        desc.clamp_min = layer->relu ? io->output->zero_point : io->output->qmin;
        desc.clamp_max = io->output->qmax;
    }
    const void *bias = grouped ? (const void *)layer->bias : quantized->bias;
    const bool good = conv_plan_finish(layer->name, &desc, quantized->weights, bias,
                                       setting->threads, plan, error);
    free(scale);
    return good;
}

bool conv_plan_create(const struct layer *layer, const struct conv_setting *setting,
                      const struct conv_io *io, struct conv_plan *plan, struct error *error) {
    *plan = (struct conv_plan){0};
    if (setting->precision == NM_F32)
        return plan_f32(layer, setting, io->batch, plan, error);
    struct quantized quantized;
    const bool good = quantize_layer(layer, setting, io->input.scale, &quantized, error) &&
                      plan_quantized(layer, setting, io, &quantized, plan, error);
    quantized_free(&quantized);
    return good;
}
