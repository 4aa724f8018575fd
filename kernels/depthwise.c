/**
 * Depthwise convolution: one filter a channel, lanes are channels. Threads take equal numbers of
 * output rows; within its rows a thread goes block of channels by block of channels, so that a
 * block's weights (expanded from nibbles where they are packed) stay near.
 *
 * Padding costs no copy: rows that do not exist point to one row of zero points, and the kernels
 * know which columns exist. Only packed activations are staged, to bytes.
 */
#include "conv.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

typedef struct channel_block {
    size_t channel, channels;
    bool narrow; /* see nm_depthwise_run */
} channel_block;

typedef struct depthwise_plan {
    size_t element; /* bytes of an activation as the kernels read it */
    size_t lanes;   /* of a block: its channels, unless it is narrow */
    size_t blocks;
    channel_block *block;
    size_t block_weights; /* elements, as the kernel reads them */
    size_t block_bytes;   /* as kept */
    bool expand;
    void *weights; /* [block], see nm_depthwise_run */
    void *bias;    /* [block], likewise */
    float *scale;  /* [block], or NULL */
    uint8_t pad, flip;
    size_t outputs; /* rows of a run: 1, or 2 that share their input rows */
    size_t rows;    /* input rows of a run */
} depthwise_plan;

static bool supports(const nm_conv *conv, const void *bias) {
    (void)bias;

    /* A weight zero point would need the sums of each window: the direct kernels have them. */
    return conv->tier && conv->group_in == 1 && conv->group_out == 1 && !conv->desc.group_size &&
           !conv->desc.weight_zero_point;
}

static void destroy(void *opaque) {
    depthwise_plan *plan = opaque;
    free(plan->block);
    free(plan->weights);
    free(plan->bias);
    free(plan->scale);
    free(plan);
}

static bool is_float(const nm_conv *conv) { return conv->desc.precision == NM_F32; }

static bool is_packed(const nm_conv *conv) { return conv->desc.precision == NM_W4A4; }

/** Where channel c of a block stands in the lanes of its vectors. */
static size_t lane_of(const nm_conv *conv, size_t c) {
    if (is_float(conv))
        return c;
    const size_t group = 4 * conv->tier->depthwise_vectors;
    return c % group / 4 * conv->tier->lanes + c / group * 4 + c % 4;
}

/** Index of tap (kh, kw)'s weight for lane `lane` and row `output` of a run's outputs, in elements
 *  of a block. */
static size_t weight_index(const nm_conv *conv, const depthwise_plan *plan, size_t output,
                           size_t kh, size_t kw, size_t lane) {
    const nm_tier *tier = conv->tier;
    const size_t width = conv->desc.kernel_width;
    if (is_float(conv))
        return (kh * width + kw) * tier->lanes + lane;
    const size_t groups = nm_ceil_div(plan->rows, tier->step);
    const size_t lanes = tier->depthwise_vectors * tier->lanes;
    const size_t row = kh + output;
    return (((output * width + kw) * groups + row / tier->step) * lanes + lane) * tier->step +
           row % tier->step;
}

/** Packs one channel of block b for one lane, as bytes or floats, and folds the zero point into its
 *  start. */
static void pack_lane(const nm_conv *conv, depthwise_plan *plan, size_t b, size_t channel,
                      size_t lane, const void *source, const void *bias, void *block_weights) {
    const nm_conv_desc *d = &conv->desc;
    const size_t slot = b * plan->lanes + lane;
    const size_t taps = d->kernel_height * d->kernel_width;
    uint32_t sum = 0;
    for (size_t t = 0; t < taps; ++t)
        for (size_t o = 0; o < plan->outputs; ++o) {
            const size_t i =
                weight_index(conv, plan, o, t / d->kernel_width, t % d->kernel_width, lane);
            if (is_float(conv)) {
                ((float *)block_weights)[i] = ((const float *)source)[channel * taps + t];
            } else {
                const int32_t w = nm_weight_at(conv, source, channel, t);
                ((int8_t *)block_weights)[i] = (int8_t)w;
                sum += o == 0 ? (uint32_t)w : 0;
            }
        }
    if (is_float(conv)) {
        ((float *)plan->bias)[slot] = bias ? ((const float *)bias)[channel] : 0.0f;
        return;
    }
    const int32_t zero = conv->tier->depthwise_sign ? (int8_t)plan->pad : plan->pad;
    const uint32_t start = bias ? (uint32_t)((const int32_t *)bias)[channel] : 0;
    ((int32_t *)plan->bias)[slot] = (int32_t)(start - (uint32_t)zero * sum);
    if (plan->scale)
        plan->scale[slot] = conv->epilogue.scale[channel];
}

static void pack_block(const nm_conv *conv, depthwise_plan *plan, size_t b, const void *source,
                       const void *bias, void *block_weights) {
    const channel_block *block = &plan->block[b];
    const size_t copies = block->narrow ? conv->tier->lanes / 4 : 1;
    for (size_t c = 0; c < block->channels; ++c)
        for (size_t i = 0; i < copies; ++i)
            pack_lane(conv, plan, b, block->channel + c, lane_of(conv, c) + 4 * i, source, bias,
                      block_weights);
}

/** Whole blocks, then what is left in narrow ones if those are quicker: several pixels at a time
 * cost a third as much each. */
static bool plan_blocks(const nm_conv *conv, depthwise_plan *plan) {
    const size_t channels = conv->desc.out_channels, whole = channels / plan->lanes;
    const size_t left = channels % plan->lanes, narrow = conv->tier->depthwise_narrow;
    const bool use_narrow = !is_float(conv) && narrow && left <= 2 * narrow;
    plan->blocks = whole + (use_narrow ? nm_ceil_div(left, narrow) : left > 0);
    plan->block = nm_alloc(plan->blocks * sizeof *plan->block);
    if (!plan->block)
        return false;
    size_t channel = 0;
    for (size_t b = 0; b < plan->blocks; ++b) {
        const size_t width = b >= whole && use_narrow ? narrow : plan->lanes;
        const size_t rest = channels - channel;
        plan->block[b] = (channel_block){.channel = channel,
                                         .channels = rest < width ? rest : width,
                                         .narrow = b >= whole && use_narrow};
        channel += width;
    }
    return true;
}

static void name_kernel(nm_conv *conv, const depthwise_plan *plan) {
    static const char *const types[NM_PRECISION_COUNT] = {"f32", "8s8", "8s4", "4s4"};
    const nm_dtype type = conv->desc.input_type;
    snprintf(conv->kernel, sizeof conv->kernel, "%s%s_depthwise_%zu__%s",
             is_float(conv)                       ? ""
             : type == NM_INT8 || type == NM_INT4 ? "s"
                                                  : "u",
             types[conv->desc.precision], plan->lanes, nm_isa_name(conv->tier->isa));
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = conv->tier;
    depthwise_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    conv->plan = plan;
    const bool is_signed = d->input_type == NM_INT8 || d->input_type == NM_INT4;
    plan->element = is_float(conv) ? sizeof(float) : 1;
    plan->flip = (is_signed ? 0x80 : 0) ^ tier->depthwise_sign;
    plan->pad = (uint8_t)d->input_zero_point ^ plan->flip;
    plan->lanes = is_float(conv) ? tier->lanes : tier->depthwise_vectors * tier->lanes;
    if (!plan_blocks(conv, plan))
        return NM_OUT_OF_MEMORY;
    plan->expand = !is_float(conv) && (nm_is_int4(conv) || tier->wt_size != 1);
    const bool pairs = !is_float(conv) && d->kernel_height == 3 && d->kernel_width == 3 &&
                       d->stride[0] == 1 && d->stride[1] == 1 && d->dilation[0] == 1 &&
                       d->dilation[1] == 1;
    plan->outputs = pairs ? 2 : 1;
    plan->rows = d->kernel_height + plan->outputs - 1;
    const size_t used = weight_index(conv, plan, plan->outputs - 1, d->kernel_height - 1,
                                     d->kernel_width - 1, plan->lanes - 1) +
                        1;
    plan->block_weights = nm_is_int4(conv) ? nm_round_up(used, 2 * tier->expand_block)
                                           : nm_round_up(used, tier->step);
    plan->block_bytes =
        nm_is_int4(conv) ? plan->block_weights / 2 : plan->block_weights * plan->element;
    const size_t slots = plan->blocks * plan->lanes;
    plan->weights = nm_alloc(plan->blocks * plan->block_bytes);
    plan->bias = nm_alloc(slots * 4);
    const bool scaled = conv->epilogue.narrow;
    plan->scale = scaled ? nm_alloc(slots * 4) : NULL;
    char *const values = nm_is_int4(conv) ? nm_alloc(plan->block_weights) : NULL;
    if (!plan->weights || !plan->bias || (scaled && !plan->scale) ||
        (nm_is_int4(conv) && !values)) {
        free(values);
        return NM_OUT_OF_MEMORY;
    }
    conv->info.weight_bytes += plan->blocks * plan->block_bytes + slots * (scaled ? 8 : 4);
    for (size_t b = 0; b < plan->blocks; ++b) {
        char *const packed = (char *)plan->weights + b * plan->block_bytes;
        if (values)
            memset(values, 0, plan->block_weights);
        pack_block(conv, plan, b, weights, bias, values ? values : packed);
        if (values)
            nm_compress_int4(values, plan->block_weights, tier->expand_block, packed);
    }
    free(values);
    name_kernel(conv, plan);
    return NM_OK;
}

/** Workspace: unpacked activations, a row of zero points, then each thread's expanded weights. */
static size_t unpacked_bytes(const nm_conv *conv) {
    const nm_conv_desc *d = &conv->desc;
    return is_packed(conv) ? nm_piece(d->batch * d->in_height * d->in_width * d->in_channels) : 0;
}

static size_t zero_row_bytes(const nm_conv *conv, const depthwise_plan *plan) {
    return nm_piece(conv->desc.in_width * conv->desc.in_channels * plan->element);
}

static size_t expanded_bytes(const nm_conv *conv, const depthwise_plan *plan) {
    return plan->expand ? nm_piece(plan->block_weights * conv->tier->wt_size) : 0;
}

/** A thread's list of row pointers. */
static size_t list_bytes(const depthwise_plan *plan) {
    return nm_piece(plan->rows * sizeof(char *));
}

static size_t workspace_size(const nm_conv *conv, unsigned threads) {
    const depthwise_plan *plan = conv->plan;
    return unpacked_bytes(conv) + zero_row_bytes(conv, plan) +
           nm_useful_threads(conv, threads) * (list_bytes(plan) + expanded_bytes(conv, plan));
}

/** Output rows begin..end of batch * out_height, one block of channels. */
static void run_block(const nm_conv *conv, const depthwise_plan *plan, size_t block,
                      const void *weights, const char *input, const char *zero_row,
                      const char **list, char *output, size_t begin, size_t end) {
    const nm_conv_desc *d = &conv->desc;
    const size_t pixel = d->in_channels * plan->element;
    const size_t channel = plan->block[block].channel;
    const size_t out_element = nm_tensor_bytes(d->output_type, 1);
    nm_depthwise_run run = {
        .row = list,
        .column_bytes = (ptrdiff_t)pixel,
        .columns = d->in_width,
        .first_column = -(ptrdiff_t)d->padding[1],
        .rows = plan->rows,
        .kernel_width = d->kernel_width,
        .stride = d->stride[1],
        .dilation = d->dilation[1],
        .pad = plan->pad,
        .flip = plan->flip,
        .weights = weights,
        .bias = (const char *)plan->bias + block * plan->lanes * 4,
        .scale = plan->scale ? plan->scale + block * plan->lanes : NULL,
        .pixels = conv->info.out_width,
        .channel = channel,
        .channels = plan->block[block].channels,
        .narrow = plan->block[block].narrow,
        .outputs = plan->outputs,
        .output_stride = (ptrdiff_t)(d->out_channels * out_element),
        .epilogue = &conv->epilogue,
    };
    const size_t row_bytes = conv->info.out_width * d->out_channels * out_element;
    for (size_t row = begin, together; row < end; row += together) {
        const size_t n = row / conv->info.out_height, oh = row % conv->info.out_height;
        together = plan->outputs == 2 && row + 1 < end && oh + 1 < conv->info.out_height ? 2 : 1;
        for (size_t i = 0; i < plan->rows; ++i) {
            const size_t h = oh * d->stride[0] + i * d->dilation[0] - d->padding[0];
            list[i] = (h < d->in_height ? input + (n * d->in_height + h) * d->in_width * pixel
                                        : zero_row) +
                      channel * plan->element;
        }
        run.output[0] = output + row * row_bytes + channel * out_element;
        run.output[1] = together == 2 ? (char *)run.output[0] + row_bytes : NULL;
        if (is_float(conv))
            conv->tier->depthwise_f32(&run);
        else
            conv->tier->depthwise_int(&run);
    }
}

/** Share `me` of `team` of n elements, in whole pairs so that nibbles stay together. */
static size_t share(size_t n, size_t me, size_t team) { return n / 2 * me / team * 2; }

static void run(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads) {
    const nm_conv_desc *d = &conv->desc;
    const depthwise_plan *plan = conv->plan;
    const unsigned useful = nm_useful_threads(conv, threads);
    char *const unpacked = workspace;
    char *const zero_row = unpacked + unpacked_bytes(conv);
    char *const own = zero_row + zero_row_bytes(conv, plan);
    const size_t own_bytes = list_bytes(plan) + expanded_bytes(conv, plan);
    const size_t elements = d->batch * d->in_height * d->in_width * d->in_channels;
    const size_t rows = d->batch * conv->info.out_height;
    /* the zero row goes through the kernel's flip like any other */
    memset(zero_row, plan->pad ^ plan->flip, d->in_width * d->in_channels * plan->element);
#pragma omp parallel num_threads(useful) if (useful > 1)
    {
        const size_t me = (size_t)omp_get_thread_num(), team = (size_t)omp_get_num_threads();
        const char *in = input;
        if (is_packed(conv)) {
            const size_t begin = share(elements, me, team);
            const size_t end = me + 1 == team ? elements : share(elements, me + 1, team);
            nm_unpack_int4((const uint8_t *)input + begin / 2, end - begin, d->input_type,
                           unpacked + begin);
            in = unpacked;
#pragma omp barrier
        }
        const char **list = (const char **)(own + me * own_bytes);
        char *const expanded = (char *)list + list_bytes(plan);
        for (size_t b = 0; b < plan->blocks; ++b) {
            const char *weights = (const char *)plan->weights + b * plan->block_bytes;
            if (plan->expand) {
                conv->tier->expand(weights, nm_is_int4(conv), plan->block_weights, expanded);
                weights = expanded;
            }
            run_block(conv, plan, b, weights, in, zero_row, list, output, me * rows / team,
                      (me + 1) * rows / team);
        }
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
