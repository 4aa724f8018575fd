/**
 * Depthwise convolution: one filter a channel, lanes are channels. Threads take equal numbers of
 * output rows; within its rows a thread goes block of channels by block of channels, so that a
 * block's weights (expanded from nibbles where they are packed) stay near.
 *
 * Padding costs no copy: rows that do not exist point to one row of zero points, and the kernels
 * know which columns exist. Nibbles are read in place, too, by 3x3 kernels (has_nibbles()), and
 * unpacked to a copy by others.
 */
#include "conv.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct channel_block {
    size_t channel, channels;
    size_t together; /* see nm_depthwise_run */
} channel_block;

typedef struct depthwise_plan {
    bool nibbles;   /* read in place */
    size_t element; /* bytes of an activation as the kernels read it; of two nibbles */
    size_t lanes;   /* of a block: its channels, unless several pixels share them */
    size_t blocks;
    channel_block *block;
    size_t block_weights; /* elements, as the kernel reads them */
    size_t block_bytes;   /* as kept */
    bool expand;
    void *weights;     /* [block], see nm_depthwise_run */
    void *bias;        /* [block], likewise */
    float *scale;      /* [block], or NULL */
    float *offset;     /* [block], or NULL */
    void *zero_row;    /* what rows that do not exist point to; kept, as threads share it */
    uint8_t pad, flip; /* see nm_depthwise_run */
    int32_t zero;      /* what padding counts as in a sum */
    size_t outputs;    /* 1, or 2 rows that share their input rows */
    size_t rows;       /* of input under them */
    size_t row_step;   /* see nm_depthwise_run */
} depthwise_plan;

static bool supports(const nm_conv *conv, const void *weights, const void *bias) {
    (void)weights;
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
    free(plan->offset);
    free(plan->zero_row);
    free(plan);
}

static bool is_float(const nm_conv *conv) { return conv->desc.precision == NM_F32; }

static bool is_packed(const nm_conv *conv) { return conv->desc.precision == NM_W4A4; }

/** Bytes of n activations as the kernels read them. */
static size_t bytes_of(const depthwise_plan *plan, size_t n) {
    return plan->nibbles ? n / 2 : n * plan->element;
}

/** Where channel c of a block stands in the lanes of its vectors. */
static size_t lane_of(const nm_conv *conv, const depthwise_plan *plan, size_t c) {
    if (is_float(conv))
        return c;
    const size_t group = 4 * conv->tier->depthwise_vectors;
    const size_t at = plan->nibbles ? c / 2 : c;
    const size_t high = plan->nibbles && c % 2 ? plan->lanes / 2 : 0;
    return high + at % group / 4 * conv->tier->lanes + at / group * 4 + at % 4;
}

/** Index of tap (kh, kw)'s weight for lane 0 and row `output` of a run's outputs, in elements of a
 *  block. */
static size_t tap_index(const nm_conv *conv, const depthwise_plan *plan, size_t output, size_t kh,
                        size_t kw) {
    const nm_tier *tier = conv->tier;
    const size_t width = conv->desc.kernel_width;
    if (is_float(conv))
        return (kh * width + kw) * tier->lanes;
    const size_t groups = nm_ceil_div(plan->rows, tier->step), row = kh + output;
    return ((output * width + kw) * groups + row / tier->step) * tier->depthwise_vectors *
               tier->lanes * tier->step +
           row % tier->step;
}

/** How much higher it is for lane `lane`. */
static size_t lane_index(const nm_conv *conv, const depthwise_plan *plan, size_t lane) {
    const nm_tier *tier = conv->tier;
    const size_t width = conv->desc.kernel_width;
    if (is_float(conv))
        return lane / tier->lanes * conv->desc.kernel_height * width * tier->lanes +
               lane % tier->lanes;
    const size_t groups = nm_ceil_div(plan->rows, tier->step);
    const size_t lanes = tier->depthwise_vectors * tier->lanes, half = lane / lanes;
    return (half * plan->outputs * width * groups * lanes + lane % lanes) * tier->step;
}

/** What is packed. */
typedef struct packing {
    const void *weights, *bias; /* the caller's */
    size_t taps;
    size_t *tap; /* [output][taps]: tap_index() */
} packing;

/** Packs one channel of block b for one lane, as bytes or floats, and folds the zero point into its
 *  start. */
static void pack_lane(const nm_conv *conv, depthwise_plan *plan, const packing *p, size_t b,
                      size_t channel, size_t lane, void *block_weights) {
    const size_t slot = b * plan->lanes + lane, index = lane_index(conv, plan, lane);
    if (is_float(conv)) {
        float *const to = (float *)block_weights + index;
        for (size_t t = 0; t < p->taps; ++t)
            to[p->tap[t]] = ((const float *)p->weights)[channel * p->taps + t];
        ((float *)plan->bias)[slot] = p->bias ? ((const float *)p->bias)[channel] : 0.0f;
        return;
    }
    int8_t *const to = (int8_t *)block_weights + index;
    uint32_t sum = 0;
    for (size_t t = 0; t < p->taps; ++t) {
        const int32_t w = nm_weight_at(conv, p->weights, channel, t);
        sum += (uint32_t)w;
        for (size_t o = 0; o < plan->outputs; ++o)
            to[p->tap[o * p->taps + t]] = (int8_t)w;
    }
    const uint32_t start = p->bias ? (uint32_t)((const int32_t *)p->bias)[channel] : 0;
    const uint32_t unit = plan->nibbles && channel % 2 ? 16 : 1;
    ((int32_t *)plan->bias)[slot] = (int32_t)(unit * (start - (uint32_t)plan->zero * sum));
    if (plan->scale)
        plan->scale[slot] = conv->epilogue.scale[channel] / (float)unit;
    if (plan->scale && plan->offset) {
        ((int32_t *)plan->bias)[slot] += NM_TWO_23_BITS;
        plan->offset[slot] = -0x1p23f * plan->scale[slot];
    }
}

static void pack_block(const nm_conv *conv, depthwise_plan *plan, const packing *p, size_t b,
                       void *block_weights) {
    const channel_block *block = &plan->block[b];
    const size_t next = conv->tier->lanes / block->together;
    for (size_t c = 0; c < block->channels; ++c)
        for (size_t i = 0; i < block->together; ++i)
            pack_lane(conv, plan, p, b, block->channel + c, lane_of(conv, plan, c) + next * i,
                      block_weights);
}

static nm_status pack(const nm_conv *conv, depthwise_plan *plan, const void *weights,
                      const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    packing p = {.weights = weights, .bias = bias, .taps = d->kernel_height * d->kernel_width};
    p.tap = nm_alloc(plan->outputs * p.taps * sizeof *p.tap);
    char *const values = nm_is_int4(conv) ? nm_alloc(plan->block_weights) : NULL;
    const bool fits = p.tap && (values || !nm_is_int4(conv));
    for (size_t i = 0; fits && i < plan->outputs * p.taps; ++i)
        p.tap[i] = tap_index(conv, plan, i / p.taps, i % p.taps / d->kernel_width,
                             i % p.taps % d->kernel_width);
    for (size_t b = 0; fits && b < plan->blocks; ++b) {
        char *const packed = (char *)plan->weights + b * plan->block_bytes;
        if (values)
            memset(values, 0, plan->block_weights);
        pack_block(conv, plan, &p, b, values ? values : packed);
        if (values)
            nm_compress_int4(values, plan->block_weights, conv->tier->expand_block, packed);
    }
    free(p.tap);
    free(values);
    return fits ? NM_OK : NM_OUT_OF_MEMORY;
}

/** Whole blocks, then one for what is left, with as many pixels together as it lets. */
static bool plan_blocks(const nm_conv *conv, depthwise_plan *plan) {
    const size_t channels = conv->desc.out_channels;
    const size_t most = is_float(conv) ? 1 : conv->tier->depthwise_pixels;
    plan->blocks = nm_ceil_div(channels, plan->lanes);
    plan->block = nm_alloc(plan->blocks * sizeof *plan->block);
    if (!plan->block)
        return false;
    for (size_t b = 0; b < plan->blocks; ++b) {
        const size_t channel = b * plan->lanes, rest = channels - channel;
        size_t together = 1;
        while (together < most && rest <= plan->lanes / (2 * together))
            together *= 2;
        plan->block[b] = (channel_block){.channel = channel,
                                         .channels = rest < plan->lanes ? rest : plan->lanes,
                                         .together = together};
    }
    return true;
}

/** The greatest magnitude of channel c's sums, by its actual weights. */
static int64_t largest_sum(const nm_conv *conv, const void *weights, const int32_t *bias,
                           size_t c) {
    const size_t taps = conv->desc.kernel_height * conv->desc.kernel_width;
    const int64_t most = is_packed(conv) ? 15 : 255; /* of an activation less the zero point */
    int64_t sum = bias ? llabs((int64_t)bias[c]) : 0;
    for (size_t t = 0; t < taps; ++t)
        sum += most * abs(nm_weight_at(conv, weights, c, t));
    return sum;
}

static bool is_3x3(const nm_conv_desc *d) {
    return d->kernel_height == 3 && d->kernel_width == 3 && d->dilation[0] == 1 &&
           d->dilation[1] == 1;
}

/** Whether the sums of this layer, by its actual weights, allow what nm_epilogue_offset() explains.
 */
static bool has_offset(const nm_conv *conv, const void *weights, const int32_t *bias) {
    const nm_epilogue *e = &conv->epilogue;
    if (!e->narrow || e->pack_zero != 0)
        return false;
    for (size_t c = 0; c < conv->desc.out_channels; ++c)
        if (largest_sum(conv, weights, bias, c) >= 1 << 23 || !(e->scale[c] >= 0))
            return false;
    return true;
}

/**
 * Whether the nibbles of a layer with an offset can be read in place, by nm_tier.depthwise_nibbles:
 * high nibbles are multiplied where they stand, so that their sums are 16 times as large, and
 * outputs are narrowed to 16 bits without saturation.
 */
static bool has_nibbles(const nm_conv *conv, const void *weights, const int32_t *bias) {
    const nm_conv_desc *d = &conv->desc;
    if (!is_packed(conv) || !conv->tier->depthwise_nibbles || d->in_channels % 2)
        return false;
    if (!is_3x3(d) || !((d->stride[0] == 1 && d->stride[1] == 1) || d->stride[1] == 2))
        return false;
    for (size_t c = 0; c < d->out_channels; ++c) {
        const int64_t sum = largest_sum(conv, weights, bias, c);
        const float scale = conv->epilogue.scale[c];
        if (16 * sum >= 1 << 23 || (float)sum * scale > INT16_MAX - 1 || scale / 16 * 16 != scale)
            return false;
    }
    return true;
}

/**
 * Channels of a block of floats: all, so that memory is read and written in order, but in narrow
 * maps as many as let the rows under two rows of outputs stay in the first-level cache.
 */
static size_t float_lanes(const nm_conv *conv) {
    enum { NARROW_MAP = 16, NARROW_MAP_CHANNELS = 128 };
    const size_t all = nm_round_up(conv->desc.out_channels, conv->tier->lanes);
    return conv->desc.in_width <= NARROW_MAP && all > NARROW_MAP_CHANNELS ? NARROW_MAP_CHANNELS
                                                                          : all;
}

static void name_kernel(nm_conv *conv, const depthwise_plan *plan) {
    static const char *const types[NM_PRECISION_COUNT] = {"f32", "8s8", "8s4", "4s4"};
    const nm_dtype type = conv->desc.input_type;
    snprintf(conv->kernel, sizeof conv->kernel, "%s%s_depthwise_%zu__%s",
             is_float(conv)                       ? ""
             : type == NM_INT8 || type == NM_INT4 ? "s"
                                                  : "u",
             types[conv->desc.precision], is_float(conv) ? conv->tier->lanes : plan->lanes,
             nm_isa_name(conv->tier->isa));
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = conv->tier;
    depthwise_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    conv->plan = plan;
    const int32_t shift = d->input_type == NM_INT4 ? tier->act_bias_s4 : 0; /* staging adds it */
    const bool is_signed = d->input_type == NM_INT8 || (d->input_type == NM_INT4 && shift == 0);
    const size_t bytes = tier->depthwise_vectors * tier->lanes;
    const bool offset = has_offset(conv, weights, bias);
    plan->nibbles = offset && has_nibbles(conv, weights, bias);
    plan->element = is_float(conv) ? sizeof(float) : 1;
    plan->flip = (is_signed ? 0x80 : 0) ^ tier->depthwise_sign;
    plan->pad = (uint8_t)(d->input_zero_point + shift) ^ plan->flip;
    plan->zero = tier->depthwise_sign ? (int8_t)plan->pad : plan->pad;
    if (plan->nibbles) {
        plan->flip = d->input_type == NM_INT4 ? 0x88 : 0; /* instead of staging's shift */
        plan->pad *= 0x11;
    }
    plan->lanes = is_float(conv) ? float_lanes(conv) : plan->nibbles ? 2 * bytes : bytes;
    if (!plan_blocks(conv, plan))
        return NM_OUT_OF_MEMORY;
    plan->expand = !is_float(conv) && (nm_is_int4(conv) || tier->wt_size != 1);
    const bool pairs = !is_float(conv) && is_3x3(d) && d->stride[0] == 1 && d->stride[1] == 1;
    plan->outputs = pairs ? 2 : 1;
    plan->rows = d->kernel_height + plan->outputs - 1;
    plan->row_step = d->dilation[0] == 1 ? d->stride[0] : plan->rows;
    const size_t used =
        tap_index(conv, plan, plan->outputs - 1, d->kernel_height - 1, d->kernel_width - 1) +
        lane_index(conv, plan, plan->lanes - 1) + 1;
    plan->block_weights = nm_is_int4(conv) ? nm_round_up(used, 2 * tier->expand_block)
                                           : nm_round_up(used, tier->step);
    plan->block_bytes =
        nm_is_int4(conv) ? plan->block_weights / 2 : plan->block_weights * plan->element;
    const size_t slots = plan->blocks * plan->lanes;
    plan->weights = nm_alloc(plan->blocks * plan->block_bytes);
    plan->bias = nm_alloc(slots * 4);
    const bool scaled = conv->epilogue.narrow;
    plan->scale = scaled ? nm_alloc(slots * 4) : NULL;
    plan->offset = offset ? nm_alloc(slots * 4) : NULL;
    const size_t row_bytes = bytes_of(plan, d->in_width * d->in_channels);
    plan->zero_row = nm_alloc_unset(row_bytes);
    if (!plan->weights || !plan->bias || (scaled && !plan->scale) || (offset && !plan->offset) ||
        !plan->zero_row)
        return NM_OUT_OF_MEMORY;
    /* it goes through the kernel's flip like any other */
    memset(plan->zero_row, plan->pad ^ plan->flip, row_bytes);
    conv->info.weight_bytes += plan->blocks * plan->block_bytes + slots * 4 * (1 + scaled + offset);
    name_kernel(conv, plan);
    return pack(conv, plan, weights, bias);
}

/** Workspace: unpacked activations, then each thread's row pointers and expanded weights. */
static size_t unpacked_bytes(const nm_conv *conv, const depthwise_plan *plan) {
    const nm_conv_desc *d = &conv->desc;
    return is_packed(conv) && !plan->nibbles
               ? nm_piece(d->batch * d->in_height * d->in_width * d->in_channels)
               : 0;
}

static size_t expanded_bytes(const nm_conv *conv, const depthwise_plan *plan) {
    return plan->expand ? nm_piece(plan->block_weights * conv->tier->wt_size) : 0;
}

/** A thread's list of row pointers. */
static size_t list_bytes(const nm_conv *conv, const depthwise_plan *plan) {
    const size_t rows = (conv->info.out_height - 1) * plan->row_step + plan->rows;
    return nm_piece(rows * sizeof(char *));
}

static size_t workspace_size(const nm_conv *conv, unsigned threads) {
    const depthwise_plan *plan = conv->plan;
    return unpacked_bytes(conv, plan) +
           nm_useful_threads(conv, threads) * (list_bytes(conv, plan) + expanded_bytes(conv, plan));
}

/** Output rows begin..end of one image, one block of channels. */
static void run_block(const nm_conv *conv, const depthwise_plan *plan, size_t b,
                      const void *weights, const char *image, const char **list, void *output,
                      size_t begin, size_t end) {
    const nm_conv_desc *d = &conv->desc;
    const channel_block *block = &plan->block[b];
    const size_t pixel = bytes_of(plan, d->in_channels);
    const size_t out_element = nm_tensor_bytes(d->output_type, 1);
    const size_t row_bytes = conv->info.out_width * d->out_channels * out_element;
    const size_t first = bytes_of(plan, block->channel);
    const char *const zero = plan->zero_row;
    for (size_t i = 0; i < (end - begin - 1) * plan->row_step + plan->rows; ++i) {
        const size_t o = d->dilation[0] == 1 ? 0 : i / plan->rows, tap = i - o * plan->rows;
        const size_t h = (begin + o) * d->stride[0] + tap * d->dilation[0] - d->padding[0];
        list[i] = (h < d->in_height ? image + h * d->in_width * pixel : zero) + first;
    }
    const nm_depthwise_run run = {
        .row = list,
        .row_step = plan->row_step,
        .rows = plan->rows,
        .column_bytes = (ptrdiff_t)pixel,
        .columns = d->in_width,
        .absent = zero,
        .first_column = -(ptrdiff_t)d->padding[1],
        .kernel_width = d->kernel_width,
        .stride = d->stride[1],
        .dilation = d->dilation[1],
        .pad = plan->pad,
        .flip = plan->flip,
        .weights = weights,
        .bias = (const char *)plan->bias + b * plan->lanes * 4,
        .scale = plan->scale ? plan->scale + b * plan->lanes : NULL,
        .offset = plan->offset ? plan->offset + b * plan->lanes : NULL,
        .pixels = conv->info.out_width,
        .output_rows = end - begin,
        .channel = block->channel,
        .channels = block->channels,
        .together = block->together,
        .outputs = plan->outputs,
        .output = (char *)output + begin * row_bytes + block->channel * out_element,
        .output_row = (ptrdiff_t)row_bytes,
        .output_stride = (ptrdiff_t)(d->out_channels * out_element),
        .epilogue = &conv->epilogue,
    };
    (is_float(conv)  ? conv->tier->depthwise_f32
     : plan->nibbles ? conv->tier->depthwise_nibbles
                     : conv->tier->depthwise_int)(&run);
}

/** Share `me` of `team` of n elements, in whole pairs so that nibbles stay together. */
static size_t share(size_t n, size_t me, size_t team) { return n / 2 * me / team * 2; }

/** What a run's threads have in common. */
typedef struct depthwise_job {
    const nm_conv *conv;
    const void *input;
    char *output, *unpacked, *own;
} depthwise_job;

/** Thread `me` of `team`. */
static void run_share(const depthwise_job *job, size_t me, size_t team) {
    const nm_conv *const conv = job->conv;
    const nm_conv_desc *d = &conv->desc;
    const depthwise_plan *plan = conv->plan;
    const size_t elements = d->batch * d->in_height * d->in_width * d->in_channels;
    const size_t height = conv->info.out_height, rows = d->batch * height;
    const size_t image_bytes = bytes_of(plan, d->in_height * d->in_width * d->in_channels);
    const size_t output_bytes =
        nm_tensor_bytes(d->output_type, height * conv->info.out_width * d->out_channels);
    const char *in = job->input;
    if (is_packed(conv) && !plan->nibbles) {
        const size_t begin = share(elements, me, team);
        const size_t end = me + 1 == team ? elements : share(elements, me + 1, team);
        const nm_stage_row all = {
            .input = job->input, .first = begin, .count = end - begin, .type = d->input_type};
        conv->tier->stage(&all, job->unpacked + begin);
        in = job->unpacked;
        if (team > 1) {
#pragma omp barrier
        }
    }
    const char **list =
        (const char **)(job->own + me * (list_bytes(conv, plan) + expanded_bytes(conv, plan)));
    char *const expanded = (char *)list + list_bytes(conv, plan);
    for (size_t b = 0; b < plan->blocks; ++b) {
        const char *weights = (const char *)plan->weights + b * plan->block_bytes;
        if (plan->expand) {
            conv->tier->expand(weights, nm_is_int4(conv), plan->block_weights, expanded);
            weights = expanded;
        }
        for (size_t row = me * rows / team, last = (me + 1) * rows / team, end; row < last;
             row = end) {
            const size_t n = row / height, begin = row % height;
            end = last < (n + 1) * height ? last : (n + 1) * height;
            run_block(conv, plan, b, weights, in + n * image_bytes, list,
                      job->output + n * output_bytes, begin, end - n * height);
        }
    }
}

static void run(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads) {
    const depthwise_plan *plan = conv->plan;
    const unsigned useful = nm_useful_threads(conv, threads);
    const depthwise_job job = {.conv = conv,
                               .input = input,
                               .output = output,
                               .unpacked = workspace,
                               .own = (char *)workspace + unpacked_bytes(conv, plan)};
    /* a parallel region of one thread would cost as much as a small map */
    if (useful == 1) {
        run_share(&job, 0, 1);
        return;
    }
#pragma omp parallel num_threads(useful)
    run_share(&job, (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads());
}

const nm_family nm_family_depthwise = {
    .algorithm = NM_ALGORITHM_DIRECT,
    .supports = supports,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};
