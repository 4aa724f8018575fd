/**
 * Depthwise convolution: one filter a channel, lanes are channels. Each output row is one run of a
 * tier's depthwise kernel; threads take equal numbers of rows.
 */
#include "stage.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

typedef struct depthwise_plan {
    nm_stage stage;
    size_t taps;
    ptrdiff_t *tap; /* byte offsets */
    void *weights;  /* see nm_depthwise_run */
    void *bias;
} depthwise_plan;

static bool supports(const nm_conv *conv) {
    return conv->tier && conv->group_in == 1 && conv->group_out == 1 && !conv->desc.group_size;
}

static void destroy(void *opaque) {
    depthwise_plan *plan = opaque;
    free(plan->tap);
    free(plan->weights);
    free(plan->bias);
    free(plan);
}

/** Packs one channel's filter and folds zero points into its bias. */
static void pack_channel(const nm_conv *conv, depthwise_plan *plan, size_t c, const void *source,
                         const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const size_t lanes = conv->tier->lanes, block = c / lanes, lane = c % lanes;
    if (d->precision == NM_F32) {
        for (size_t t = 0; t < plan->taps; ++t)
            ((float *)plan->weights)[(block * plan->taps + t) * lanes + lane] =
                ((const float *)source)[c * plan->taps + t];
        ((float *)plan->bias)[c] = bias ? ((const float *)bias)[c] : 0.0f;
        return;
    }
    const size_t bytes = nm_is_int4(conv) ? nm_ceil_div(plan->taps, 2) : plan->taps;
    uint8_t *weights = (uint8_t *)plan->weights + block * bytes * lanes + lane;
    uint32_t sum = 0;
    for (size_t t = 0; t < plan->taps; ++t) {
        const int32_t w = nm_weight_at(conv, source, c, t);
        if (nm_is_int4(conv))
            weights[t / 2 * lanes] |= (uint8_t)((w & 15) << (t % 2 * 4));
        else
            weights[t * lanes] = (uint8_t)w;
        sum += (uint32_t)(w - d->weight_zero_point);
    }
    const uint32_t start = bias ? (uint32_t)((const int32_t *)bias)[c] : 0;
    ((int32_t *)plan->bias)[c] = (int32_t)(start - (uint32_t)nm_staged_zero(conv) * sum);
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = conv->tier;
    depthwise_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    conv->plan = plan;
    plan->stage = nm_stage_plan(conv, false);
    plan->taps = d->kernel_height * d->kernel_width;
    plan->tap = nm_alloc(plan->taps * sizeof *plan->tap);
    const size_t filters = nm_round_up(d->out_channels, tier->lanes);
    const size_t bytes = filters * (d->precision == NM_F32 ? plan->taps * sizeof(float)
                                    : nm_is_int4(conv)     ? nm_ceil_div(plan->taps, 2)
                                                           : plan->taps);
    plan->weights = nm_alloc(bytes + tier->lanes);
    plan->bias = nm_alloc((d->out_channels + NM_CHANNEL_SLACK) * 4);
    if (!plan->tap || !plan->weights || !plan->bias)
        return NM_OUT_OF_MEMORY;
    for (size_t t = 0; t < plan->taps; ++t) {
        const size_t h = t / d->kernel_width * d->dilation[0];
        const size_t w = t % d->kernel_width * d->dilation[1];
        plan->tap[t] =
            (ptrdiff_t)((h * plan->stage.width + w) * d->in_channels * plan->stage.element);
    }
    for (size_t c = 0; c < d->out_channels; ++c)
        pack_channel(conv, plan, c, weights, bias);
    conv->info.weight_bytes += bytes + d->out_channels * 4;
    static const char *const types[NM_PRECISION_COUNT] = {"f32", "8s8", "8s4", "4s4"};
    const char *sign = d->precision == NM_F32                                 ? ""
                       : d->input_type == NM_INT8 || d->input_type == NM_INT4 ? "s"
                                                                              : "u";
    snprintf(conv->kernel, sizeof conv->kernel, "%s%s_depthwise_4x%zu__%s", sign,
             types[d->precision], tier->lanes, nm_isa_name(tier->isa));
    return NM_OK;
}

static size_t workspace_size(const nm_conv *conv, unsigned threads) {
    (void)threads;
    return ((const depthwise_plan *)conv->plan)->stage.bytes;
}

/** Output rows begin..end of batch * out_height. */
static void run_rows(const nm_conv *conv, const depthwise_plan *plan, const char *input,
                     char *output, size_t begin, size_t end) {
    const nm_conv_desc *d = &conv->desc;
    const size_t pixel = d->in_channels * plan->stage.element;
    const size_t output_pixel = d->out_channels * nm_tensor_bytes(d->output_type, 1);
    for (size_t row = begin; row < end; ++row) {
        const size_t n = row / conv->info.out_height, oh = row % conv->info.out_height;
        const size_t first = (n * plan->stage.height + oh * d->stride[0]) * plan->stage.width;
        const nm_depthwise_run run = {
            .input = input + first * pixel,
            .pixel_stride = (ptrdiff_t)(d->stride[1] * pixel),
            .tap = plan->tap,
            .taps = plan->taps,
            .weights = plan->weights,
            .int4 = nm_is_int4(conv),
            .weight_zero_point = d->weight_zero_point,
            .bias = plan->bias,
            .pixels = conv->info.out_width,
            .channels = d->out_channels,
            .output = output + row * conv->info.out_width * output_pixel,
            .output_stride = (ptrdiff_t)output_pixel,
            .epilogue = &conv->epilogue,
        };
        if (d->precision == NM_F32)
            conv->tier->depthwise_f32(&run);
        else
            conv->tier->depthwise_int(&run);
    }
}

static void run(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads) {
    const depthwise_plan *plan = conv->plan;
    const unsigned useful = nm_useful_threads(conv, threads);
    const size_t staged_rows = conv->desc.batch * plan->stage.height;
    const size_t rows = conv->desc.batch * conv->info.out_height;
#pragma omp parallel num_threads(useful) if (useful > 1)
    {
        const size_t me = (size_t)omp_get_thread_num(), team = (size_t)omp_get_num_threads();
        const char *in = input;
        if (plan->stage.needed) {
            nm_stage_rows(conv, &plan->stage, input, workspace, me * staged_rows / team,
                          (me + 1) * staged_rows / team);
            in = workspace;
#pragma omp barrier
        }
        run_rows(conv, plan, in, output, me * rows / team, (me + 1) * rows / team);
    }
}

const nm_family nm_family_depthwise = {
    .algorithm = NM_ALGORITHM_DIRECT,
    .supports = supports,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};
