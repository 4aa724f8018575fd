/**
 * Exact integer Winograd: F(2x2) with 3x3 and 5x5 filters, F(4x4) with 3x3 ones, stride 1.
 *
 * Tiles of 2x2 outputs are computed by products at transformed positions: 16 instead of 36 (3x3),
 * 49 instead of 100 (5x5). The result is four times the convolution (see winograd_axis.h): nothing
 * is rounded. What the transforms make of the operands must fit the elements that the tier
 * multiplies, and does so in two cases:
 *
 *     4-bit operands, 8-bit elements: |weights| <= 16 * 8, activations -30..60
 *     8-bit operands, 16-bit elements: |weights| <= 16 * 128, |activations| <= 4 * 255
 *
 * Transformed int4 weights are kept as bytes in either case. Where the tier multiplies 16-bit
 * elements, the first block that a thread takes through a panel widens them.
 *
 * Sums are taken modulo 2^32: only four times the accumulator must fit int32.
 *
 * Tiles of 4x4 outputs take 36 products instead of 144, of 8-bit operands in 16-bit elements
 * (|weights| <= 144 * 128, |activations| <= 100 * 128). Their sums are brought back modulo 2^32:
 * see simd/winograd4.h. Transformed weights would be eight times as large, so that those of a panel
 * are made as a thread comes to it, for all blocks of a chunk.
 *
 * A unit of work is a block of tiles times a panel of output channels; threads take equal runs of
 * units. Each transforms the blocks that it comes to, in the order in which the kernels read them,
 * and takes them through all panels while they are in the first-level cache; or, where the weights
 * would have to come from memory every time, takes a chunk of blocks through a panel at a time.
 */
#include "winograd_axis.h"

#include "stage.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { PHASES = 16, MAX_TILE = 4, POSITIONS_4 = 36 };

/** Transformed weights of up to so many bytes stay in the second-level cache, ... */
enum { RESIDENT_WEIGHTS = 1024 * 1024 };
/** ... else a panel's are used for so many bytes of transformed activations, which then do. */
enum { CHUNK_BYTES = 512 * 1024, CHUNK_BYTES_4 = 1024 * 1024 };

typedef struct panel {
    size_t channel, channels, nr;
    size_t weights, start; /* element offsets */
} panel;

typedef struct winograd_plan {
    size_t tile;                            /* outputs along an axis: 2 or 4 */
    const nm_winograd_axis *rows, *columns; /* of tiles of 2 */
    nm_stage stage;
    size_t tile_rows, tile_columns, tiles; /* tiles of an image's column and row; of the batch */
    size_t positions;
    uint8_t phase[PHASES]; /* of tiles of 2 */
    size_t steps;          /* per position */
    size_t tile_bytes;     /* of a tile's channels at one position */
    size_t block;          /* most tiles of a block */
    size_t blocks;
    bool resident; /* each block goes through all panels: the weights stay near */
    size_t chunk;  /* blocks of a chunk */
    size_t panels;
    panel *panel;
    size_t weight_count;
    size_t kept_bits; /* of a weight: for tiles of 4, of one that is yet to be transformed */
    bool made;        /* what the tiles multiply is made of what is kept, panel by panel */
    char *weights;    /* as they are kept */
    int32_t *start;
    float *quarter_scale; /* narrow epilogues: the scales over four */
    nm_epilogue epilogue;
} winograd_plan;

/* ---- Planning ------------------------------------------------------------------------------- */

static const nm_winograd_axis *axis(size_t kernel) {
    return kernel == 3 ? &nm_winograd_3 : kernel == 5 ? &nm_winograd_5 : NULL;
}

/** The share of an axis' taps that are not in the padding, which the direct kernels may leave out.
 */
static double taps_inside(size_t in, size_t out, size_t kernel, size_t before) {
    size_t inside = 0;
    for (size_t o = 0; o < out; ++o)
        for (size_t k = 0; k < kernel; ++k)
            inside += o + k >= before && o + k < before + in;
    return (double)inside / (double)(out * kernel);
}

/** The direct algorithm's dot products of vectors, for the whole batch. */
static double direct_cost(const nm_conv *conv) {
    enum { PIXEL_OVERHEAD = 8 };
    const nm_conv_desc *d = &conv->desc;
    const size_t height = conv->info.out_height, width = conv->info.out_width;
    const size_t row_steps = nm_ceil_div(d->kernel_width * d->in_channels, conv->tier->step);
    double steps = (double)(d->kernel_height * row_steps);
    if (d->precision == NM_W4A8)
        steps *= conv->tier->direct_dot_8;
    if (nm_staged_zero(conv) == 0) {
        steps *= taps_inside(d->in_height, height, d->kernel_height, d->padding[0]);
        if (d->padding[1] <= 1 && d->padding[3] <= 1) /* of a row's first and last pixel only */
            steps *= taps_inside(d->in_width, width, d->kernel_width, d->padding[1]);
    }
    return (double)(d->batch * height * width) *
           (double)nm_ceil_div(d->out_channels, conv->tier->lanes) *
           (steps + PIXEL_OVERHEAD * (double)nm_this_processor()->overhead);
}

/** The table of conv's tier whose elements hold the transformed operands of tiles of two; NULL if
 *  there is none. */
static const nm_tier *tier_2(const nm_conv *conv) {
    if (conv->desc.precision == NM_W4A4)
        return conv->tier;
    const nm_tier *tier = nm_tier_for(conv->tier->isa, NM_W8A8);
    return tier->wt_size > 1 ? tier : NULL;
}

/** Bytes of a transformed weight as it is kept, for tiles of two. */
static size_t kept_size(const nm_conv *conv, const nm_tier *tier) {
    return nm_is_int4(conv) ? 1 : tier->wt_size;
}

static double tile_count(const nm_conv *conv, size_t tile) {
    return (double)(conv->desc.batch * nm_ceil_div(conv->info.out_height, tile) *
                    nm_ceil_div(conv->info.out_width, tile));
}

/** Winograd's, in those. What everything else costs was fitted to timings (see cpu.c): a tile's
 * outputs of a vector; a vector of the input transform, which serves all output channels, and what
 * comes with each position of it. Weights that outgrow the second-level cache come from beyond it
 * in every run. */
static double cost_2(const nm_conv *conv, const nm_tier *tier) {
    enum { LANE_OVERHEAD = 6, TRANSFORM = 6, POSITION_OVERHEAD = 1 };
    enum { CACHE_BYTES = 2 * 1024 * 1024 };
    const nm_conv_desc *d = &conv->desc;
    const nm_processor *processor = nm_this_processor();
    const size_t channels = d->in_channels;
    const double outputs = (double)nm_ceil_div(d->out_channels, tier->lanes);
    const double positions =
        (double)(axis(d->kernel_height)->positions * axis(d->kernel_width)->positions);
    const double vectors = (double)nm_ceil_div(channels * tier->act_size, tier->lanes * 4);
    const double products =
        positions * (double)nm_ceil_div(channels, tier->step) * tier->winograd_dot;
    const double transform =
        positions * (TRANSFORM * vectors + POSITION_OVERHEAD) * (double)processor->overhead;
    const double overhead = LANE_OVERHEAD * (double)tier->lanes * (double)processor->overhead;
    const double weights = positions * (double)(channels * d->out_channels * kept_size(conv, tier));
    const double stream = weights > CACHE_BYTES ? weights * (double)processor->weight : 0;
    return tile_count(conv, 2) * (outputs * (products + overhead) + transform) + stream;
}

/** Blocks of a chunk, for tiles of four. */
static size_t chunk_4(const nm_tier *tier, size_t steps) {
    const size_t tile = POSITIONS_4 * steps * tier->step * tier->act_size;
    return CHUNK_BYTES_4 / (tier->mr[nm_widest_tile(tier)] * tile) + 1;
}

/** Likewise of tiles of four; a panel's weights are transformed for each chunk. Fitted on Emerald
 * Rapids, avx2 and avxvnni. */
static double cost_4(const nm_conv *conv, const nm_tier *tier) {
    enum { LANE_OVERHEAD = 38, TRANSFORM = 11, POSITION_OVERHEAD = 5, FILTER = 220 };
    const nm_conv_desc *d = &conv->desc;
    const double other = (double)nm_this_processor()->overhead;
    const size_t steps = nm_ceil_div(d->in_channels, tier->step);
    const size_t chunk_tiles = chunk_4(tier, steps) * tier->mr[nm_widest_tile(tier)];
    const double outputs = (double)nm_ceil_div(d->out_channels, tier->lanes);
    const double vectors = (double)nm_ceil_div(d->in_channels * tier->act_size, tier->lanes * 4);
    const double tiles = tile_count(conv, MAX_TILE);
    const double chunks = ceil(tiles / (double)chunk_tiles);
    const double products = (double)(POSITIONS_4 * steps);
    const double transform = POSITIONS_4 * (TRANSFORM * vectors + POSITION_OVERHEAD) * other;
    const double overhead = LANE_OVERHEAD * (double)tier->lanes * other;
    return tiles * (outputs * (products + overhead) + transform) +
           chunks * outputs * (double)steps * FILTER * other;
}

/** The greatest magnitude of a sum of products of staged activations with 8-bit weights: these, as
 * nm_largest_sum(), which is that of any, would leave out most layers. */
static uint64_t largest_sum(const nm_conv *conv, const void *weights) {
    if (nm_is_int4(conv))
        return nm_largest_sum(conv);
    uint64_t largest = 0;
    const int8_t *w = weights;
    for (size_t o = 0; o < conv->desc.out_channels; ++o, w += conv->reduction) {
        uint32_t positive = 0, negative = 0;
        for (size_t i = 0; i < conv->reduction; ++i) {
            positive += (uint32_t)(w[i] > 0 ? w[i] : 0);
            negative += (uint32_t)(w[i] < 0 ? -w[i] : 0);
        }
        const uint64_t more = positive > negative ? positive : negative;
        const uint64_t sum =
            conv->desc.input_type == NM_INT8 ? 128 * ((uint64_t)positive + negative) : 255 * more;
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

static bool can_transform(const nm_conv *conv) {
    const nm_conv_desc *d = &conv->desc;
    return conv->tier && d->precision != NM_F32 && !d->group_size && !d->weight_zero_point &&
           d->groups == 1 && d->stride[0] == 1 && d->stride[1] == 1 && d->dilation[0] == 1 &&
           d->dilation[1] == 1;
}

static bool supports_2(const nm_conv *conv, const void *weights, const void *bias) {
    (void)weights;
    const nm_conv_desc *d = &conv->desc;
    if (!can_transform(conv) || !axis(d->kernel_height) || !axis(d->kernel_width))
        return false;
    /* four times any accumulator must fit int32 */
    const uint64_t limit = INT32_MAX / 4;
    if (conv->reduction > limit || nm_largest_sum(conv) + nm_largest_bias(conv, bias) > limit)
        return false;
    const nm_tier *tier = tier_2(conv);
    return tier &&
           (d->algorithm == NM_ALGORITHM_WINOGRAD || cost_2(conv, tier) < direct_cost(conv));
}

static bool supports_4(const nm_conv *conv, const void *weights, const void *bias) {
    enum { LIMIT = 1 << 25 };
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = can_transform(conv) ? nm_wide_tier(conv->tier->isa) : NULL;
    if (!tier || d->kernel_height != 3 || d->kernel_width != 3 || d->precision == NM_W4A4)
        return false;
    if (d->algorithm == NM_ALGORITHM_AUTO) {
        const double cost = cost_4(conv, tier);
        if (cost >= direct_cost(conv) ||
            (supports_2(conv, weights, bias) && cost >= cost_2(conv, tier_2(conv))))
            return false;
    }
    /* sums that 64 times fit int32, and starts that do */
    return conv->reduction < LIMIT && nm_largest_bias(conv, bias) < INT32_MAX / 4 &&
           largest_sum(conv, weights) < LIMIT;
}

static void destroy(void *opaque) {
    winograd_plan *plan = opaque;
    free(plan->panel);
    free(plan->weights);
    free(plan->start);
    free(plan->quarter_scale);
    free((void *)plan->epilogue.offset);
    free(plan);
}

/** Sign of a position in the output's axis sum: y0 = a + b + c, y1 = a - b + d. */
static int output_sign(const nm_winograd_axis *axis, size_t position, size_t output) {
    static const int sign[2][4] = {{1, 1, 1, 0}, {1, -1, 0, 1}};
    return sign[output][axis->phase_of[position]];
}

/** What packing needs beside the plan. */
typedef struct packer {
    /** What an axis' outputs take of each tap if every transformed activation along it is 1. */
    int32_t row_ones[2][NM_WINOGRAD_MAX_TAPS], column_ones[2][NM_WINOGRAD_MAX_TAPS];
    int8_t *unpacked; /* a panel's weights, a byte each, if they are not the caller's */
    int8_t *taps;     /* spread, for nm_tier.winograd_filters */
    int16_t *wide;    /* a panel's transformed weights, if they are to be bytes */
} packer;

static void sum_ones(const nm_winograd_axis *axis, int32_t ones[2][NM_WINOGRAD_MAX_TAPS]) {
    for (size_t output = 0; output < 2; ++output)
        for (size_t k = 0; k < nm_winograd_taps(axis); ++k)
            for (size_t p = 0; p < axis->positions; ++p)
                ones[output][k] += output_sign(axis, p, output) * axis->position[p].filter[k];
}

/** Elements of each position, or tap, of a panel of so many vectors. */
static size_t panel_elements(const nm_conv *conv, const winograd_plan *plan, size_t nr) {
    return plan->steps * nr * conv->tier->lanes * conv->tier->step;
}

/** Weights that are kept of it; for tiles of four, taps that fill whole expand blocks. */
static size_t panel_weights(const nm_conv *conv, const winograd_plan *plan, size_t nr) {
    enum { TAPS = 9 };
    const size_t elements = panel_elements(conv, plan, nr);
    return plan->tile == MAX_TILE ? nm_round_up(TAPS * elements, 2 * conv->tier->expand_block)
                                  : plan->positions * elements;
}

/** Where the outputs of a panel's channel `lane` start: at four times the bias, less what stands
 * for the zero point and what the transforms' bias adds. */
static void start_lane(const nm_conv *conv, winograd_plan *plan, const panel *p, const packer *k,
                       size_t lane, const int8_t *filter, int32_t bias) {
    const size_t width = conv->desc.kernel_width, taps = conv->desc.kernel_height * width;
    int32_t sum[NM_WINOGRAD_MAX_TAPS * NM_WINOGRAD_MAX_TAPS], total = 0;
    for (size_t t = 0; t < taps; ++t)
        total += sum[t] = nm_sum(filter + t * conv->group_in, conv->group_in);
    const int32_t bits = plan->epilogue.offset ? NM_TWO_23_BITS : 0;
    const int32_t output = bias - nm_staged_zero(conv) * total;
    if (plan->tile == MAX_TILE) {
        plan->start[p->start + lane] = output + bits;
        return;
    }
    const int32_t start = 4 * output + bits;
    for (size_t i = 0; i < 2 * 2; ++i) {
        int32_t ones = 0;
        for (size_t t = 0; t < taps; ++t)
            ones += k->row_ones[i / 2][t / width] * k->column_ones[i % 2][t % width] * sum[t];
        plan->start[p->start + i * p->nr * conv->tier->lanes + lane] =
            start - conv->tier->winograd_bias * ones;
    }
}

/** Transforms a panel's filters. */
static void pack_panel(const nm_conv *conv, winograd_plan *plan, const panel *p, const packer *k,
                       const void *weights, const int32_t *bias) {
    const nm_tier *tier = conv->tier;
    const size_t first = p->channel * conv->reduction; /* even: whole bytes of nibbles */
    const int8_t *values = k->unpacked;
    if (k->unpacked)
        nm_unpack_int4((const uint8_t *)weights + first / 2, p->channels * conv->reduction, NM_INT4,
                       k->unpacked);
    else
        values = (const int8_t *)weights + first;
    for (size_t lane = 0; lane < p->channels; ++lane)
        start_lane(conv, plan, p, k, lane, values + lane * conv->reduction,
                   bias ? bias[p->channel + lane] : 0);
    const size_t width = p->nr * tier->lanes * tier->step;
    const size_t count = panel_elements(conv, plan, p->nr);
    const size_t taps = conv->desc.kernel_height * conv->desc.kernel_width;
    memset(k->taps, 0, taps * count);
    for (size_t t = 0; t < taps; ++t)
        nm_spread_rows((const char *)values + t * conv->group_in, conv->reduction, p->channels,
                       conv->group_in, tier->step, width, (char *)k->taps + t * count);
    char *const out = plan->weights + p->weights * plan->kept_bits / 8;
    if (plan->tile == MAX_TILE) {
        const size_t all = panel_weights(conv, plan, p->nr);
        memset(k->taps + taps * count, 0, all - taps * count);
        if (nm_is_int4(conv))
            nm_compress_int4(k->taps, all, tier->expand_block, out);
        else
            memcpy(out, k->taps, all);
        return;
    }
    const nm_winograd_filters filters = {.five_rows = conv->desc.kernel_height == 5,
                                         .five_columns = conv->desc.kernel_width == 5,
                                         .taps = k->taps,
                                         .count = count};
    if (!k->wide) {
        tier->winograd_filters(&filters, out);
        return;
    }
    tier->winograd_filters(&filters, k->wide);
    for (size_t i = 0; i < plan->positions * count; ++i)
        ((int8_t *)out)[i] = (int8_t)k->wide[i];
}

static nm_status pack(nm_conv *conv, winograd_plan *plan, const void *weights,
                      const int32_t *bias) {
    const size_t taps = conv->desc.kernel_height * conv->desc.kernel_width;
    const size_t widest = nm_widest_tile(conv->tier);
    const size_t channels = widest * conv->tier->lanes; /* of a panel */
    const size_t count = panel_elements(conv, plan, widest);
    const size_t block = 2 * conv->tier->expand_block;
    const bool narrow = plan->made && plan->tile == 2;
    packer k = {
        .unpacked = nm_is_int4(conv) ? nm_alloc_unset(channels * conv->reduction) : NULL,
        .taps = nm_alloc_unset(nm_round_up(taps * count, block) + NM_ACTIVATION_SLACK),
        .wide = narrow ? nm_alloc_unset(plan->positions * count * sizeof(int16_t)) : NULL,
    };
    const bool ok = (k.unpacked || !nm_is_int4(conv)) && k.taps && (k.wide || !narrow);
    if (ok) {
        if (plan->tile == 2) {
            sum_ones(plan->rows, k.row_ones);
            sum_ones(plan->columns, k.column_ones);
        }
        for (const panel *p = plan->panel; p < plan->panel + plan->panels; ++p)
            pack_panel(conv, plan, p, &k, weights, bias);
    }
    free(k.unpacked);
    free(k.taps);
    free(k.wide);
    return ok ? NM_OK : NM_OUT_OF_MEMORY;
}

/** Cuts the output channels into panels, as the direct kernels do. */
static bool plan_panels(nm_conv *conv, winograd_plan *plan) {
    const nm_tier *tier = conv->tier;
    const size_t channels = conv->desc.out_channels;
    const size_t vectors = nm_ceil_div(channels, tier->lanes);
    plan->panels = nm_ceil_div(vectors, nm_widest_tile(tier));
    plan->panel = nm_alloc(plan->panels * sizeof *plan->panel);
    if (!plan->panel)
        return false;
    size_t weights = 0, start = 0;
    plan->block = NM_MAX_MR;
    for (size_t i = 0; i < plan->panels; ++i) {
        const size_t begin = i * vectors / plan->panels, end = (i + 1) * vectors / plan->panels;
        panel *p = &plan->panel[i];
        p->nr = end - begin;
        p->channel = begin * tier->lanes;
        p->channels = (end * tier->lanes < channels ? end * tier->lanes : channels) - p->channel;
        p->weights = weights;
        p->start = start;
        weights += panel_weights(conv, plan, p->nr);
        start += (plan->tile == MAX_TILE ? 1 : 4) * p->nr * tier->lanes;
        if (tier->mr[p->nr] < plan->block)
            plan->block = tier->mr[p->nr];
    }
    const size_t kept = weights * plan->kept_bits / 8;
    plan->weight_count = weights;
    plan->weights = nm_alloc_unset(kept);
    plan->start = nm_alloc(start * sizeof *plan->start);
    conv->info.weight_bytes += kept + start * sizeof *plan->start;
    return plan->weights && plan->start;
}

static bool plan_epilogue(nm_conv *conv, winograd_plan *plan, const int32_t *bias) {
    plan->epilogue = conv->epilogue;
    if (!conv->epilogue.narrow)
        return true;
    const uint64_t largest = nm_largest_sum(conv) + nm_largest_bias(conv, bias);
    if (plan->tile == MAX_TILE)
        return nm_epilogue_offset(conv, &plan->epilogue, largest);
    const size_t n = conv->desc.out_channels;
    plan->quarter_scale = nm_alloc((n + NM_CHANNEL_SLACK) * sizeof(float));
    if (!plan->quarter_scale)
        return false;
    for (size_t o = 0; o < n; ++o) {
        plan->quarter_scale[o] = conv->epilogue.scale[o] / 4;
        /* exact, but for the smallest scales, which would lose bits as subnormals */
        plan->epilogue.narrow &= plan->quarter_scale[o] * 4 == conv->epilogue.scale[o];
    }
    if (plan->epilogue.narrow)
        plan->epilogue.scale = plan->quarter_scale;
    return nm_epilogue_offset(conv, &plan->epilogue, 4 * largest);
}

static void name_kernel(nm_conv *conv, const winograd_plan *plan) {
    static const char *const types[NM_PRECISION_COUNT] = {NULL, "8s8", "8s4", "4s4"};
    const nm_conv_desc *d = &conv->desc;
    const bool is_signed = d->input_type == NM_INT8 || d->input_type == NM_INT4;
    snprintf(conv->kernel, sizeof conv->kernel, "%c%s_winograd%s_%zux%zu_%zux%zu__%s",
             is_signed ? 's' : 'u', types[d->precision], plan->tile == MAX_TILE ? "4" : "",
             d->kernel_height, d->kernel_width, plan->block, plan->panel[0].nr * conv->tier->lanes,
             nm_isa_name(conv->tier->isa));
}

/** Bytes of one block of transformed tiles. */
static size_t block_bytes(const winograd_plan *plan) {
    return plan->block * plan->positions * plan->tile_bytes;
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const bool four = conv->family->algorithm == NM_ALGORITHM_WINOGRAD4;
    const nm_tier *tier = four ? nm_wide_tier(conv->tier->isa) : tier_2(conv);
    winograd_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    conv->plan = plan;
    conv->tier = tier;
    plan->tile = four ? MAX_TILE : 2;
    if (plan->tile == 2) {
        plan->rows = axis(d->kernel_height);
        plan->columns = axis(d->kernel_width);
        plan->positions = plan->rows->positions * plan->columns->positions;
        for (int i = 0; i < PHASES; ++i)
            plan->phase[i] = (uint8_t)(plan->rows->phase[i / 4] * plan->columns->phase[i % 4]);
        plan->kept_bits = 8 * kept_size(conv, tier);
    } else {
        plan->positions = POSITIONS_4;
        plan->kept_bits = nm_is_int4(conv) ? 4 : 8;
    }
    plan->made = plan->kept_bits < 8 * tier->wt_size;
    plan->tile_rows = nm_ceil_div(conv->info.out_height, plan->tile);
    plan->tile_columns = nm_ceil_div(conv->info.out_width, plan->tile);
    plan->tiles = d->batch * plan->tile_rows * plan->tile_columns;
    plan->stage = nm_stage_plan(conv, true, plan->tile_rows * plan->tile - conv->info.out_height,
                                plan->tile_columns * plan->tile - conv->info.out_width);
    plan->steps = nm_ceil_div(d->in_channels, tier->step);
    plan->tile_bytes = plan->steps * tier->step * tier->act_size;
    if (!plan_panels(conv, plan) || !plan_epilogue(conv, plan, bias))
        return NM_OUT_OF_MEMORY;
    plan->blocks = nm_ceil_div(plan->tiles, plan->block);
    plan->resident = plan->tile == 2 && plan->weight_count * tier->wt_size <= RESIDENT_WEIGHTS;
    const size_t chunk = plan->tile == MAX_TILE ? chunk_4(tier, plan->steps)
                         : plan->resident       ? 1
                                                : CHUNK_BYTES / block_bytes(plan) + 1;
    plan->chunk = chunk < plan->blocks ? chunk : plan->blocks;
    name_kernel(conv, plan);
    return pack(conv, plan, weights, bias);
}

/* ---- Running -------------------------------------------------------------------------------- */

static size_t transformed_bytes(const winograd_plan *plan) {
    return nm_piece(plan->chunk * block_bytes(plan) + NM_ACTIVATION_SLACK);
}

/** Bytes of a staged row. */
static size_t row_bytes(const winograd_plan *plan) {
    return nm_round_up(plan->stage.width, plan->tile) * plan->tile_bytes;
}

/** Of all rows, and what a vector reads beyond. */
static size_t staged_bytes(const nm_conv *conv, const winograd_plan *plan) {
    return nm_piece(conv->desc.batch * plan->stage.height * row_bytes(plan) + NM_ACTIVATION_SLACK);
}

/** Of a row before its pixels are parted. */
static size_t line_bytes(const winograd_plan *plan) {
    return nm_piece(row_bytes(plan) + NM_ACTIVATION_SLACK);
}

/** Of the widest panel's taps, as elements, for tiles of four. */
static size_t taps_bytes(const nm_conv *conv, const winograd_plan *plan) {
    const size_t taps = panel_weights(conv, plan, nm_widest_tile(conv->tier));
    return plan->tile == MAX_TILE ? nm_piece(taps * conv->tier->wt_size) : 0;
}

/** Of weights that are made: all that stay near, else those of the widest panel. */
static size_t made_bytes(const nm_conv *conv, const winograd_plan *plan) {
    if (!plan->made)
        return 0;
    const size_t panel = panel_elements(conv, plan, nm_widest_tile(conv->tier));
    const size_t gap = plan->tile == MAX_TILE ? NM_WINOGRAD4_GAP : 0;
    const size_t weights = plan->resident ? plan->weight_count : plan->positions * (panel + gap);
    return nm_piece(weights * conv->tier->wt_size);
}

/** A thread's scratch. */
static size_t scratch_bytes(const nm_conv *conv, const winograd_plan *plan) {
    return line_bytes(plan) + transformed_bytes(plan) + made_bytes(conv, plan) +
           taps_bytes(conv, plan) + nm_piece((plan->chunk + plan->panels) * sizeof(bool));
}

static size_t workspace_size(const nm_conv *conv, unsigned threads) {
    const winograd_plan *plan = conv->plan;
    return staged_bytes(conv, plan) + nm_useful_threads(conv, threads) * scratch_bytes(conv, plan);
}

/** Some tiles that follow each other in a row: their image, the first one's output row and column.
 */
typedef struct strip {
    size_t n, oh, ow, tiles;
} strip;

/** Cuts the mr tiles from `first` on into strips, which end with their rows; returns how many. */
static size_t cut_strips(const winograd_plan *plan, size_t first, size_t mr, strip *strips) {
    size_t row = first / plan->tile_columns, column = first - row * plan->tile_columns;
    size_t n = row / plan->tile_rows, count = 0;
    row -= n * plan->tile_rows;
    while (mr > 0) {
        const size_t left = plan->tile_columns - column, tiles = left < mr ? left : mr;
        strips[count++] =
            (strip){.n = n, .oh = row * plan->tile, .ow = column * plan->tile, .tiles = tiles};
        mr -= tiles;
        column = 0;
        if (++row == plan->tile_rows) {
            row = 0;
            ++n;
        }
    }
    return count;
}

/** The first tile of a block: blocks are of about equal size. */
static size_t first_tile(const winograd_plan *plan, size_t block) {
    return block * plan->tiles / plan->blocks;
}

static nm_winograd_strip strip_input(const nm_conv *conv, const winograd_plan *plan, strip at,
                                     const char *staged) {
    return (nm_winograd_strip){
        .input = staged + (at.n * plan->stage.height + at.oh) * row_bytes(plan) +
                 at.ow / plan->tile * plan->tile_bytes,
        .row_bytes = (ptrdiff_t)row_bytes(plan),
        .parity_bytes = (ptrdiff_t)(row_bytes(plan) / plan->tile),
        .five_rows = conv->desc.kernel_height == 5,
        .five_columns = conv->desc.kernel_width == 5,
        .tiles = at.tiles,
        .tile_bytes = (ptrdiff_t)plan->tile_bytes,
    };
}

/** The pixels of a strip's outputs, at output channel `channel`: [output row][output column][mr].
 *  Those beyond the image are `beyond`. */
static void find_pixels(const nm_conv *conv, size_t tile, strip at, char *output, size_t channel,
                        char *beyond, size_t mr, char **pixel) {
    const size_t element = nm_tensor_bytes(conv->desc.output_type, 1);
    const size_t height = conv->info.out_height, width = conv->info.out_width;
    const size_t pixel_bytes = conv->desc.out_channels * element;
    for (size_t i = 0; i < tile * tile; ++i) {
        const size_t row = at.oh + i / tile, column = at.ow + i % tile;
        const size_t exist = row < height && column < width ? nm_ceil_div(width - column, tile) : 0;
        char *next =
            output + ((at.n * height + row) * width + column) * pixel_bytes + channel * element;
        for (size_t t = 0; t < at.tiles; ++t, next += tile * pixel_bytes)
            pixel[i * mr + t] = t < exist ? next : beyond;
    }
}

/** A thread of a run. */
typedef struct worker {
    const nm_conv *conv;
    const winograd_plan *plan;
    const char *staged;
    char *output;
    char *transformed; /* the chunk's blocks */
    bool *ready;       /* [chunk] which of them are */
    char *weights;     /* as tiles multiply them, if they are made */
    bool *made;        /* [panels] which of them are */
    char *taps;        /* of a panel, of which they are, for tiles of four */
} worker;

/** Transforms the taps of a panel for tiles of four. */
static void make_weights(const worker *w, const panel *p, const char *kept, char *weights) {
    const nm_tier *tier = w->conv->tier;
    tier->expand(kept, nm_is_int4(w->conv), panel_weights(w->conv, w->plan, p->nr), w->taps);
    tier->winograd4_filters(w->taps, panel_elements(w->conv, w->plan, p->nr), weights);
}

/** Block b of a chunk, one panel. */
static void run_unit(const worker *w, const panel *p, size_t block, size_t b) {
    const nm_conv *conv = w->conv;
    const winograd_plan *plan = w->plan;
    bool *const made = &w->made[p - plan->panel];
    const nm_tier *tier = conv->tier;
    const char *const kept = plan->weights + p->weights * plan->kept_bits / 8;
    char *const weights = w->weights + (plan->resident ? p->weights * tier->wt_size : 0);
    const size_t first = first_tile(plan, block), mr = first_tile(plan, block + 1) - first;
    strip strips[NM_MAX_MR];
    nm_winograd_strip inputs[NM_MAX_MR];
    char *pixel[MAX_TILE * MAX_TILE * NM_MAX_MR];
    char beyond[NM_CHANNEL_SLACK * 4];
    const size_t count = cut_strips(plan, first, mr, strips);
    for (size_t i = 0, m = 0; i < count; m += strips[i++].tiles) {
        inputs[i] = strip_input(conv, plan, strips[i], w->staged);
        find_pixels(conv, plan->tile, strips[i], w->output, p->channel, beyond, mr, pixel + m);
    }
    const nm_winograd_tile tile = {
        .input = w->transformed + b * block_bytes(plan),
        .strip = inputs,
        .strips = w->ready[b] ? 0 : count,
        .transient = plan->panels == 1,
        .tile_bytes = (ptrdiff_t)plan->tile_bytes,
        .steps = plan->steps,
        .positions = plan->phase,
        .weights = plan->made ? weights : kept,
        .packed = (const int8_t *)kept,
        .start = plan->start + p->start,
        .output = pixel,
        .channel = p->channel,
        .channels = p->channels,
        .epilogue = &plan->epilogue,
    };
    const bool make = plan->made && !*made;
    if (plan->tile == MAX_TILE) {
        if (make)
            make_weights(w, p, kept, weights);
        tier->winograd4[p->nr][mr](&tile);
    } else if (make) {
        tier->winograd_widening[p->nr][mr](&tile);
    } else {
        tier->winograd[p->nr][mr](&tile);
    }
    w->ready[b] = plan->panels > 1;
    *made = true;
}

/** Units begin..end, in the order of chunks of blocks, in them panels, in them blocks. A block is
 *  transformed when its first unit comes. */
static void run_units(const worker *w, size_t begin, size_t end) {
    const winograd_plan *plan = w->plan;
    memset(w->ready, 0, plan->chunk * sizeof *w->ready);
    memset(w->made, 0, plan->panels * sizeof *w->made);
    size_t first = begin / (plan->chunk * plan->panels) * plan->chunk; /* block of the chunk */
    size_t left = plan->blocks - first, count = left < plan->chunk ? left : plan->chunk;
    size_t panel = (begin - first * plan->panels) / count;
    size_t b = (begin - first * plan->panels) % count;
    for (size_t u = begin; u < end; ++u) {
        run_unit(w, &plan->panel[panel], first + b, b);
        if (++b < count)
            continue;
        b = 0;
        w->made[panel] = plan->resident; /* or the next one's take their place */
        if (++panel < plan->panels)
            continue;
        panel = 0;
        first += count;
        left -= count;
        count = left < plan->chunk ? left : plan->chunk;
        memset(w->ready, 0, count * sizeof *w->ready);
    }
}

/** Stages rows begin..end, each pixel as long as a transformed tile, the even ones first. `line` is
 *  the thread's own. */
static void stage_rows(const nm_conv *conv, const winograd_plan *plan, const void *input,
                       char *staged, char *line, size_t begin, size_t end) {
    const size_t pixel_bytes = conv->desc.in_channels * plan->stage.element;
    for (size_t r = begin; r < end; ++r) {
        nm_stage_line(conv, &plan->stage, input, line, r);
        conv->tier->winograd_part(line, plan->stage.width, pixel_bytes, plan->tile_bytes,
                                  plan->tile, row_bytes(plan) / plan->tile,
                                  staged + r * row_bytes(plan));
    }
}

static void run(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads) {
    const winograd_plan *plan = conv->plan;
    const unsigned useful = nm_useful_threads(conv, threads);
    char *const staged = workspace;
    const size_t rows = conv->desc.batch * plan->stage.height;
    const size_t units = plan->panels * plan->blocks;
#pragma omp parallel num_threads(useful) if (useful > 1)
    {
        const size_t me = (size_t)omp_get_thread_num(), team = (size_t)omp_get_num_threads();
        char *const line = staged + staged_bytes(conv, plan) + me * scratch_bytes(conv, plan);
        char *const transformed = line + line_bytes(plan);
        char *const weights = transformed + transformed_bytes(plan);
        char *const taps = weights + made_bytes(conv, plan);
        bool *const ready = (bool *)(taps + taps_bytes(conv, plan));
        const worker w = {.conv = conv,
                          .plan = plan,
                          .staged = staged,
                          .output = output,
                          .transformed = transformed,
                          .ready = ready,
                          .weights = weights,
                          .made = ready + plan->chunk,
                          .taps = taps};
        stage_rows(conv, plan, input, staged, line, me * rows / team, (me + 1) * rows / team);
#pragma omp barrier
        run_units(&w, me * units / team, (me + 1) * units / team);
    }
}

const nm_family nm_family_winograd = {
    .algorithm = NM_ALGORITHM_WINOGRAD,
    .supports = supports_2,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};

const nm_family nm_family_winograd4 = {
    .algorithm = NM_ALGORITHM_WINOGRAD4,
    .supports = supports_4,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};
