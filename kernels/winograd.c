/**
 * Exact integer Winograd: F(2x2) with 3x3 and 5x5 filters, stride 1.
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
 * A unit of work is a block of tiles times a panel of output channels; threads take equal runs of
 * units. Each transforms the blocks that it comes to, in the order in which the kernels read them,
 * and takes them through all panels while they are in the first-level cache; or, where the weights
 * would have to come from memory every time, takes a chunk of blocks through a panel at a time.
 */
#include "winograd_axis.h"

#include "stage.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { TILE = 2, PHASES = 16 };

/** Transformed weights of up to so many bytes stay in the second-level cache, ... */
enum { RESIDENT_WEIGHTS = 1024 * 1024 };
/** ... else a panel's are used for so many bytes of transformed activations, which then do. */
enum { CHUNK_BYTES = 512 * 1024 };

typedef struct panel {
    size_t channel, channels, nr;
    size_t weights, start; /* element offsets */
} panel;

typedef struct winograd_plan {
    const nm_winograd_axis *rows, *columns;
    nm_stage stage;
    size_t tile_rows, tile_columns, tiles; /* tiles of an image's column and row; of the batch */
    size_t positions;
    uint8_t phase[PHASES];
    size_t steps;      /* per position */
    size_t tile_bytes; /* of a tile's channels at one position */
    size_t block;      /* most tiles of a block */
    size_t blocks;
    bool resident; /* each block goes through all panels: the weights stay near */
    size_t chunk;  /* blocks of a chunk */
    size_t panels;
    panel *panel;
    size_t weight_count;
    bool narrow;   /* weights are kept as bytes, which are not the tier's elements */
    char *weights; /* as they are kept */
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

/** The table of conv's tier whose elements hold the transformed operands; NULL if it has none. */
static const nm_tier *fitting_tier(const nm_conv *conv) {
    if (!conv->tier || conv->desc.precision == NM_F32)
        return NULL;
    if (conv->desc.precision == NM_W4A4)
        return conv->tier;
    const nm_tier *tier = nm_tier_for(conv->tier->isa, NM_W8A8);
    return tier->wt_size > 1 ? tier : NULL;
}

/** Bytes of a transformed weight as it is kept. */
static size_t kept_size(const nm_conv *conv, const nm_tier *tier) {
    return nm_is_int4(conv) ? 1 : tier->wt_size;
}

/** Winograd's, in those. What everything else costs was fitted to timings (see cpu.c): a tile's
 * outputs of a vector; a vector of the input transform, which serves all output channels, and what
 * comes with each position of it. Weights that outgrow the second-level cache come from beyond it
 * in every run. */
static double winograd_cost(const nm_conv *conv, const nm_tier *tier) {
    enum { LANE_OVERHEAD = 6, TRANSFORM = 6, POSITION_OVERHEAD = 1 };
    enum { CACHE_BYTES = 2 * 1024 * 1024 };
    const nm_conv_desc *d = &conv->desc;
    const nm_processor *processor = nm_this_processor();
    const size_t channels = d->in_channels;
    const double outputs = (double)nm_ceil_div(d->out_channels, tier->lanes);
    const double tiles = (double)(d->batch * nm_ceil_div(conv->info.out_height, TILE) *
                                  nm_ceil_div(conv->info.out_width, TILE));
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
    return tiles * (outputs * (products + overhead) + transform) + stream;
}

static bool supports(const nm_conv *conv, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = fitting_tier(conv);
    if (!tier || d->group_size || d->weight_zero_point || d->groups != 1 || d->stride[0] != 1 ||
        d->stride[1] != 1 || d->dilation[0] != 1 || d->dilation[1] != 1 ||
        !axis(d->kernel_height) || !axis(d->kernel_width))
        return false;
    /* four times any accumulator must fit int32 */
    const uint64_t limit = INT32_MAX / 4;
    if (conv->reduction > limit || nm_largest_sum(conv) + nm_largest_bias(conv, bias) > limit)
        return false;
    return d->algorithm == NM_ALGORITHM_WINOGRAD || winograd_cost(conv, tier) < direct_cost(conv);
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
    int32_t row_ones[TILE][NM_WINOGRAD_MAX_TAPS], column_ones[TILE][NM_WINOGRAD_MAX_TAPS];
    int8_t *unpacked; /* a panel's weights, a byte each, if they are not the caller's */
    int8_t *taps;     /* spread, for nm_tier.winograd_filters */
    int16_t *wide;    /* a panel's transformed weights, if they are to be bytes */
} packer;

static void sum_ones(const nm_winograd_axis *axis, int32_t ones[TILE][NM_WINOGRAD_MAX_TAPS]) {
    for (size_t output = 0; output < TILE; ++output)
        for (size_t k = 0; k < nm_winograd_taps(axis); ++k)
            for (size_t p = 0; p < axis->positions; ++p)
                ones[output][k] += output_sign(axis, p, output) * axis->position[p].filter[k];
}

/** Where the outputs of a panel's channel `lane` start: at four times the bias, less what stands
 * for the zero point and what the transforms' bias adds. */
static void start_lane(const nm_conv *conv, winograd_plan *plan, const panel *p, const packer *k,
                       size_t lane, const int8_t *filter, int32_t bias) {
    const size_t width = conv->desc.kernel_width, taps = conv->desc.kernel_height * width;
    int32_t sum[NM_WINOGRAD_MAX_TAPS * NM_WINOGRAD_MAX_TAPS], total = 0;
    for (size_t t = 0; t < taps; ++t)
        total += sum[t] = nm_sum(filter + t * conv->group_in, conv->group_in);
    const int32_t start =
        4 * (bias - nm_staged_zero(conv) * total) + (plan->epilogue.offset ? NM_TWO_23_BITS : 0);
    for (size_t i = 0; i < TILE * TILE; ++i) {
        int32_t ones = 0;
        for (size_t t = 0; t < taps; ++t)
            ones += k->row_ones[i / TILE][t / width] * k->column_ones[i % TILE][t % width] * sum[t];
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
    const size_t width = p->nr * tier->lanes * tier->step, count = plan->steps * width;
    const size_t taps = conv->desc.kernel_height * conv->desc.kernel_width;
    memset(k->taps, 0, taps * count);
    for (size_t t = 0; t < taps; ++t)
        nm_spread_rows((const char *)values + t * conv->group_in, conv->reduction, p->channels,
                       conv->group_in, tier->step, width, (char *)k->taps + t * count);
    const nm_winograd_filters filters = {.five_rows = conv->desc.kernel_height == 5,
                                         .five_columns = conv->desc.kernel_width == 5,
                                         .taps = k->taps,
                                         .count = count};
    if (!plan->narrow) {
        tier->winograd_filters(&filters, plan->weights + p->weights * tier->wt_size);
        return;
    }
    tier->winograd_filters(&filters, k->wide);
    int8_t *const out = (int8_t *)plan->weights + p->weights;
    for (size_t i = 0; i < plan->positions * count; ++i)
        out[i] = (int8_t)k->wide[i];
}

static nm_status pack(nm_conv *conv, winograd_plan *plan, const void *weights,
                      const int32_t *bias) {
    const size_t taps = conv->desc.kernel_height * conv->desc.kernel_width;
    const size_t channels = nm_widest_tile(conv->tier) * conv->tier->lanes; /* of a panel */
    const size_t count = plan->steps * channels * conv->tier->step;
    packer k = {
        .unpacked = nm_is_int4(conv) ? nm_alloc_unset(channels * conv->reduction) : NULL,
        .taps = nm_alloc_unset(taps * count + NM_ACTIVATION_SLACK),
        .wide = plan->narrow ? nm_alloc_unset(plan->positions * count * sizeof(int16_t)) : NULL,
    };
    const bool ok = (k.unpacked || !nm_is_int4(conv)) && k.taps && (k.wide || !plan->narrow);
    if (ok) {
        sum_ones(plan->rows, k.row_ones);
        sum_ones(plan->columns, k.column_ones);
        for (const panel *p = plan->panel; p < plan->panel + plan->panels; ++p)
            pack_panel(conv, plan, p, &k, weights, bias);
    }
    free(k.unpacked);
    free(k.taps);
    free(k.wide);
    return ok ? NM_OK : NM_OUT_OF_MEMORY;
}

/** Weights of a panel's vector of output channels. */
static size_t panel_vector(const nm_conv *conv, const winograd_plan *plan) {
    return plan->positions * plan->steps * conv->tier->lanes * conv->tier->step;
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
        weights += p->nr * panel_vector(conv, plan);
        start += 4 * p->nr * tier->lanes;
        if (tier->mr[p->nr] < plan->block)
            plan->block = tier->mr[p->nr];
    }
    const size_t kept = weights * kept_size(conv, tier);
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
    const uint64_t largest = 4 * (nm_largest_sum(conv) + nm_largest_bias(conv, bias));
    return nm_epilogue_offset(conv, &plan->epilogue, largest);
}

static void name_kernel(nm_conv *conv, const winograd_plan *plan) {
    static const char *const types[NM_PRECISION_COUNT] = {NULL, "8s8", "8s4", "4s4"};
    const nm_conv_desc *d = &conv->desc;
    const bool is_signed = d->input_type == NM_INT8 || d->input_type == NM_INT4;
    snprintf(conv->kernel, sizeof conv->kernel, "%c%s_winograd_%zux%zu_%zux%zu__%s",
             is_signed ? 's' : 'u', types[d->precision], d->kernel_height, d->kernel_width,
             plan->block, plan->panel[0].nr * conv->tier->lanes, nm_isa_name(conv->tier->isa));
}

/** Bytes of one block of transformed tiles. */
static size_t block_bytes(const winograd_plan *plan) {
    return plan->block * plan->positions * plan->tile_bytes;
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = fitting_tier(conv);
    winograd_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    conv->plan = plan;
    conv->tier = tier;
    plan->narrow = kept_size(conv, tier) < tier->wt_size;
    plan->rows = axis(d->kernel_height);
    plan->columns = axis(d->kernel_width);
    plan->positions = plan->rows->positions * plan->columns->positions;
    for (int i = 0; i < PHASES; ++i)
        plan->phase[i] = (uint8_t)(plan->rows->phase[i / 4] * plan->columns->phase[i % 4]);
    plan->tile_rows = nm_ceil_div(conv->info.out_height, TILE);
    plan->tile_columns = nm_ceil_div(conv->info.out_width, TILE);
    plan->tiles = d->batch * plan->tile_rows * plan->tile_columns;
    plan->stage =
        nm_stage_plan(conv, true, conv->info.out_height % TILE, conv->info.out_width % TILE);
    plan->steps = nm_ceil_div(d->in_channels, tier->step);
    plan->tile_bytes = plan->steps * tier->step * tier->act_size;
    if (!plan_panels(conv, plan) || !plan_epilogue(conv, plan, bias))
        return NM_OUT_OF_MEMORY;
    plan->blocks = nm_ceil_div(plan->tiles, plan->block);
    plan->resident = plan->weight_count * tier->wt_size <= RESIDENT_WEIGHTS;
    const size_t chunk = plan->resident ? 1 : CHUNK_BYTES / block_bytes(plan) + 1;
    plan->chunk = chunk < plan->blocks ? chunk : plan->blocks;
    name_kernel(conv, plan);
    return pack(conv, plan, weights, bias);
}

/* ---- Running -------------------------------------------------------------------------------- */

static size_t transformed_bytes(const winograd_plan *plan) {
    return nm_piece(plan->chunk * block_bytes(plan) + NM_ACTIVATION_SLACK);
}

/** Bytes of a staged row. */
static size_t row_bytes(const winograd_plan *plan) { return plan->stage.width * plan->tile_bytes; }

/** Of all rows, and what a vector reads beyond. */
static size_t staged_bytes(const nm_conv *conv, const winograd_plan *plan) {
    return nm_piece(conv->desc.batch * plan->stage.height * row_bytes(plan) + NM_ACTIVATION_SLACK);
}

/** Of a row before its pixels are parted. */
static size_t line_bytes(const winograd_plan *plan) {
    return nm_piece(row_bytes(plan) + NM_ACTIVATION_SLACK);
}

/** Of widened weights: all that stay near, else those of the largest panel. */
static size_t widened_bytes(const nm_conv *conv, const winograd_plan *plan) {
    if (!plan->narrow)
        return 0;
    const size_t panel = nm_widest_tile(conv->tier) * panel_vector(conv, plan);
    return nm_piece((plan->resident ? plan->weight_count : panel) * conv->tier->wt_size);
}

/** A thread's scratch. */
static size_t scratch_bytes(const nm_conv *conv, const winograd_plan *plan) {
    return line_bytes(plan) + transformed_bytes(plan) + widened_bytes(conv, plan) +
           nm_piece((plan->chunk + plan->panels) * sizeof(bool));
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
        strips[count++] = (strip){.n = n, .oh = row * TILE, .ow = column * TILE, .tiles = tiles};
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
                 at.ow / 2 * plan->tile_bytes,
        .row_bytes = (ptrdiff_t)row_bytes(plan),
        .parity_bytes = (ptrdiff_t)row_bytes(plan) / 2,
        .five_rows = conv->desc.kernel_height == 5,
        .five_columns = conv->desc.kernel_width == 5,
        .tiles = at.tiles,
        .tile_bytes = (ptrdiff_t)plan->tile_bytes,
    };
}

/** The pixels of a strip's outputs, at output channel `channel`: [output row][output column][mr].
 *  Those beyond the image are `beyond`. */
static void find_pixels(const nm_conv *conv, strip at, char *output, size_t channel, char *beyond,
                        size_t mr, char **pixel) {
    const size_t element = nm_tensor_bytes(conv->desc.output_type, 1);
    const size_t height = conv->info.out_height, width = conv->info.out_width;
    const size_t pixel_bytes = conv->desc.out_channels * element;
    for (size_t i = 0; i < 4; ++i) {
        const size_t row = at.oh + i / 2, column = at.ow + i % 2;
        const size_t exist = row < height ? (width - column + 1) / TILE : 0;
        char *next =
            output + ((at.n * height + row) * width + column) * pixel_bytes + channel * element;
        for (size_t t = 0; t < at.tiles; ++t, next += TILE * pixel_bytes)
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
    char *widened;     /* weights, if they are kept narrow */
    bool *wide;        /* [panels] which of them are */
} worker;

/** Block b of a chunk, one panel. */
static void run_unit(const worker *w, const panel *p, size_t block, size_t b) {
    const nm_conv *conv = w->conv;
    const winograd_plan *plan = w->plan;
    bool *const wide = &w->wide[p - plan->panel];
    const nm_tier *tier = conv->tier;
    const char *const kept = plan->weights + p->weights * kept_size(conv, tier);
    char *const widened = w->widened + (plan->resident ? p->weights * tier->wt_size : 0);
    const size_t first = first_tile(plan, block), mr = first_tile(plan, block + 1) - first;
    strip strips[NM_MAX_MR];
    nm_winograd_strip inputs[NM_MAX_MR];
    char *pixel[4 * NM_MAX_MR];
    char beyond[NM_CHANNEL_SLACK * 4];
    const size_t count = cut_strips(plan, first, mr, strips);
    for (size_t i = 0, m = 0; i < count; m += strips[i++].tiles) {
        inputs[i] = strip_input(conv, plan, strips[i], w->staged);
        find_pixels(conv, strips[i], w->output, p->channel, beyond, mr, pixel + m);
    }
    const nm_winograd_tile tile = {
        .input = w->transformed + b * block_bytes(plan),
        .strip = inputs,
        .strips = w->ready[b] ? 0 : count,
        .transient = plan->panels == 1,
        .tile_bytes = (ptrdiff_t)plan->tile_bytes,
        .steps = plan->steps,
        .positions = plan->phase,
        .weights = plan->narrow ? widened : kept,
        .packed = (const int8_t *)kept,
        .start = plan->start + p->start,
        .output = pixel,
        .channel = p->channel,
        .channels = p->channels,
        .epilogue = &plan->epilogue,
    };
    if (plan->narrow && !*wide)
        tier->winograd_widening[p->nr][mr](&tile);
    else
        tier->winograd[p->nr][mr](&tile);
    w->ready[b] = plan->panels > 1;
    *wide = true;
}

/** Units begin..end, in the order of chunks of blocks, in them panels, in them blocks. A block is
 *  transformed when its first unit comes. */
static void run_units(const worker *w, size_t begin, size_t end) {
    const winograd_plan *plan = w->plan;
    memset(w->ready, 0, plan->chunk * sizeof *w->ready);
    memset(w->wide, 0, plan->panels * sizeof *w->wide);
    size_t first = begin / (plan->chunk * plan->panels) * plan->chunk; /* block of the chunk */
    size_t left = plan->blocks - first, count = left < plan->chunk ? left : plan->chunk;
    size_t panel = (begin - first * plan->panels) / count;
    size_t b = (begin - first * plan->panels) % count;
    for (size_t u = begin; u < end; ++u) {
        run_unit(w, &plan->panel[panel], first + b, b);
        if (++b < count)
            continue;
        b = 0;
        w->wide[panel] = plan->resident; /* or the next one's take their place */
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
        char *const even = staged + r * row_bytes(plan);
        nm_stage_line(conv, &plan->stage, input, line, r);
        conv->tier->winograd_part(line, plan->stage.width, pixel_bytes, plan->tile_bytes, even,
                                  even + row_bytes(plan) / 2);
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
        char *const widened = transformed + transformed_bytes(plan);
        bool *const ready = (bool *)(widened + widened_bytes(conv, plan));
        const worker w = {.conv = conv,
                          .plan = plan,
                          .staged = staged,
                          .output = output,
                          .transformed = transformed,
                          .ready = ready,
                          .widened = widened,
                          .wide = ready + plan->chunk};
        stage_rows(conv, plan, input, staged, line, me * rows / team, (me + 1) * rows / team);
#pragma omp barrier
        run_units(&w, me * units / team, (me + 1) * units / team);
    }
}

const nm_family nm_family_winograd = {
    .algorithm = NM_ALGORITHM_WINOGRAD,
    .supports = supports,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};
