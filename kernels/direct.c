/**
 * Direct convolution: the loops around a tier's tiles.
 *
 * Output channels are cut into panels of a few vectors, output pixels into tiles of a row; a unit
 * of work is one tile of one panel, and threads take equal runs of units. The reduction is a list
 * of segments of contiguous activations: a kernel row (all its taps and channels) where taps are
 * adjacent in NHWC, a tap's channels where dilation or groups part them.
 *
 * Four things may stand before the tiles, each only where it is needed:
 * - staging: one copy of the input with its padding filled in and its values in the form that the
 *   tier multiplies (unsigned bytes for vpdpbusd, nibbles unpacked, ...); 1x1 tiles stage theirs;
 * - expanding: a panel's nibbles become the tier's weights in a thread's scratch, by the first of
 *   the tiles of the panel that the thread computes, where it can, or before it;
 * - weaving: kernel rows that do not fill whole steps, as with 3 channels, element by element with
 *   each other, so that together they do: an output row's, right before its tiles;
 * - gathering: a tile's windows side by side, where groups of scales do not fit the segments.
 */
#include "stage.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

typedef struct panel {
    size_t channel, channels; /* output channels */
    size_t group;
    size_t nr;                      /* vectors */
    size_t row_tiles;               /* tiles in a row of pixels */
    size_t tile_pixels, wide_tiles; /* pixels of a tile; how many tiles have one more */
    size_t first_unit;              /* of all panels' units */
    size_t weights;                 /* byte offset of its packed weights */
    size_t groups;                  /* element offset of its group scales */
    bool expands_along;             /* its first tile expands it: see nm_tier.tile_expanding */
} panel;

typedef struct direct_plan {
    size_t panels;
    panel *panel;
    size_t units;

    bool is_int;
    bool gather, expand, weave;
    bool nibbles; /* uint4 activations that the tiles read as they are: see nm_tier.tile_nibbles */
    bool packed;  /* int4 weights that the tiles expand themselves: see nm_tier.tile_packed */
    nm_stage stage;
    bool stage_tiles;        /* a tile's pixels right before the first tile that reads them, ... */
    bool stage_near;         /* ... which is the only one: all in the same place */
    size_t rows, row_pixels; /* output pixels: rows of tiles */
    size_t first_row; /* a panel begins there and goes around: one that sees as little padding as
                         any, so that its first tile expands all of the panel */
    nm_segments segments, rest; /* of all tiles: without `input` */
    ptrdiff_t *offsets;         /* of `segments` and `rest` */
    size_t steps;               /* of all of them */
    size_t skip_segments; /* of a kernel row, if rows in the padding may be left out; else 0 */
    size_t top, left;     /* padding that is in no copy: its taps are left out ... */
    size_t left_steps, right_steps; /* ... these, of a row's first and last pixel */
    ptrdiff_t *window;              /* gathering: byte offsets of the taps ... */
    size_t taps;                    /* ... each of group_in activations */

    void *weights;
    void *bias;
    int32_t *group_start;
    float *group_scale;
    size_t panel_weights; /* elements of the largest panel, whole expand blocks */
} direct_plan;

/* ---- Planning ------------------------------------------------------------------------------- */

static bool supports(const nm_conv *conv, const void *weights, const void *bias) {
    (void)weights;
    (void)bias;
    return conv->tier;
}

static void destroy(void *opaque) {
    direct_plan *plan = opaque;
    free(plan->panel);
    free(plan->offsets);
    free(plan->window);
    free(plan->weights);
    free(plan->bias);
    free(plan->group_start);
    free(plan->group_scale);
    free(plan);
}

/** Pixels of a 1x1 convolution follow each other through rows and images. */
static bool runs_through_rows(const nm_conv_desc *d) {
    return d->kernel_height == 1 && d->kernel_width == 1 && d->stride[0] == 1 && d->stride[1] == 1;
}

/** Also, each sees itself only. */
static bool is_pointwise(const nm_conv_desc *d) {
    return runs_through_rows(d) && !d->padding[0] && !d->padding[1] && !d->padding[2] &&
           !d->padding[3];
}

/** Columns by which the last pixel's window reaches into the padding on the right. */
static size_t overhang(const nm_conv *conv) {
    const nm_conv_desc *d = &conv->desc;
    const size_t end = (conv->info.out_width - 1) * d->stride[1] + d->kernel_width;
    const size_t exist = d->padding[1] + d->in_width;
    return end > exist ? end - exist : 0;
}

/** Whether padding can be left out instead of filled in: it must add nothing, and no column of it
 *  may be seen by more than a row's first or last pixel, nor a tap of theirs by both. */
static bool can_leave_out_padding(const nm_conv *conv, const direct_plan *plan, size_t step) {
    const nm_conv_desc *d = &conv->desc;
    const size_t left = d->padding[1], right = overhang(conv);
    return plan->skip_segments == 1 && !d->weight_zero_point && conv->group_in % step == 0 &&
           left <= d->stride[1] && right <= d->stride[1] && left + right <= d->kernel_width;
}

/** Activations and weights may change places within a pixel's channels together, so nibbles are
 *  staged as they are found, where blocks of them fill a group's channels. */
static size_t nibble_block(const nm_conv *conv) {
    if (!nm_is_packed(conv->desc.input_type) || conv->desc.group_size)
        return 0;
    const size_t block = conv->tier->stage_block;
    return conv->group_in % (2 * block) == 0 ? block : conv->group_in % block == 0 ? block / 2 : 0;
}

/** Weights of `count` bytes, a nibble each, from their order to that of activations of which
 * `block` low nibbles come before as many high ones. `high` is scratch of a block. */
static void reorder(int8_t *values, size_t count, size_t block, int8_t *high) {
    for (int8_t *v = values; v < values + count; v += 2 * block) {
        for (size_t i = 0; i < block; ++i) {
            v[i] = v[2 * i];
            high[i] = v[2 * i + 1];
        }
        memcpy(v + block, high, block);
    }
}

/**
 * Whether tiles had better read the nibbles of a 1x1 kernel as they are packed than staged: where
 * masks cost nothing and panels serve so many tiles that expanding them beforehand costs nothing,
 * either. Sums are 16 times as large, so that a sixteenth of the scales must be exact.
 */
static bool reads_nibbles(const nm_conv *conv, const void *bias) {
    enum { SUM = 16, MANY_TILES = 16 };
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = conv->tier;
    if (d->input_type != NM_UINT4 || !tier->tile_nibbles[1][1] || !nm_this_processor()->masks ||
        !is_pointwise(d) || d->groups != 1 || d->group_size || d->weight_zero_point ||
        d->in_channels % (4 * tier->step) != 0 || !conv->epilogue.narrow ||
        SUM * (nm_largest_sum(conv) + nm_largest_bias(conv, bias)) > INT32_MAX ||
        d->batch * d->in_height * d->in_width < MANY_TILES * tier->mr[nm_widest_tile(tier)])
        return false;
    for (size_t o = 0; o < d->out_channels; ++o)
        if (conv->epilogue.scale[o] / SUM * SUM != conv->epilogue.scale[o])
            return false;
    return true;
}

/** Kernel rows that are woven together, from row `first` on. */
static size_t rows_together(const nm_conv *conv, size_t first) {
    const size_t left = conv->desc.kernel_height - first;
    return left < conv->tier->step ? left : conv->tier->step;
}

/** Whether weaving kernel rows of `length` elements saves more than it costs: putting five bytes in
 *  their place takes about as long as a vector of products. */
static bool weaving_pays(const nm_conv *conv, size_t length) {
    const nm_conv_desc *d = &conv->desc;
    const size_t step = conv->tier->step, rows = d->kernel_height;
    size_t saved = rows * nm_ceil_div(length, step);
    for (size_t r = 0; r < rows; r += step)
        saved -= nm_ceil_div(rows_together(conv, r) * length, step);
    const size_t widest = nm_widest_tile(conv->tier);
    const size_t vectors = nm_ceil_div(d->out_channels, conv->tier->lanes);
    const size_t woven = rows * (d->padding[1] + d->in_width + d->padding[3]) * d->in_channels;
    return saved * conv->info.out_width * (vectors < widest ? vectors : widest) > woven / 5;
}

/** Byte offset of reduction index k (flattened HWI) from a window's first activation. */
static ptrdiff_t window_offset(const nm_conv *conv, const direct_plan *plan, size_t k) {
    const nm_conv_desc *d = &conv->desc;
    const size_t tap = k / conv->group_in, c = k % conv->group_in;
    const size_t kh = tap / d->kernel_width, kw = tap % d->kernel_width;
    return (ptrdiff_t)(((kh * d->dilation[0] * plan->stage.width + kw * d->dilation[1]) *
                            d->in_channels +
                        c) *
                       plan->stage.element);
}

/** Activations of a row of the input, as the kernels read it. */
static size_t row_length(const nm_conv *conv, const direct_plan *plan) {
    return plan->stage.width * conv->desc.in_channels;
}

/** Bytes of a pixel of the input, as the kernels read it. */
static size_t pixel_size(const nm_conv *conv, const direct_plan *plan) {
    return plan->nibbles ? conv->desc.in_channels / 2
                         : conv->desc.in_channels * plan->stage.element;
}

/** A gathered window, in bytes. */
static size_t gathered_pixel(const direct_plan *plan) {
    return plan->segments.count * plan->segments.length * plan->stage.element;
}

/** Fills in the segments' offsets, strides and steps; false when out of memory. */
static bool plan_segments(const nm_conv *conv, direct_plan *plan) {
    const size_t element = plan->stage.element, step = plan->is_int ? conv->tier->step : 1;
    const size_t pixel = conv->desc.stride[1] * pixel_size(conv, plan);
    nm_segments *const all = &plan->segments, *const rest = &plan->rest;
    plan->offsets = nm_alloc((all->count + 1) * sizeof *plan->offsets);
    if (!plan->offsets)
        return false;
    for (size_t s = 0; s <= all->count; ++s)
        plan->offsets[s] = plan->nibbles  ? 0
                           : plan->weave  ? (ptrdiff_t)(s * step * row_length(conv, plan) * element)
                           : plan->gather ? (ptrdiff_t)(s * all->length * element)
                                          : window_offset(conv, plan, s * all->length);
    all->segment = plan->offsets;
    rest->segment = plan->offsets + all->count;
    all->pixel_stride = (ptrdiff_t)(plan->gather  ? gathered_pixel(plan)
                                    : plan->weave ? step * pixel
                                                  : pixel);
    rest->pixel_stride = (ptrdiff_t)(conv->desc.kernel_height % step * pixel);
    all->steps = nm_ceil_div(all->length, step);
    rest->steps = nm_ceil_div(rest->length, step);
    plan->steps = all->count * all->steps + rest->count * rest->steps;
    return true;
}

/** Where gathering finds a window's taps; false when out of memory. */
static bool plan_window(const nm_conv *conv, direct_plan *plan) {
    if (!plan->gather)
        return true;
    plan->taps = conv->reduction / conv->group_in;
    plan->window = nm_alloc(plan->taps * sizeof *plan->window);
    if (!plan->window)
        return false;
    for (size_t t = 0; t < plan->taps; ++t)
        plan->window[t] = window_offset(conv, plan, t * conv->group_in);
    return true;
}

/** Chooses segments and what must stand before the tiles; false when out of memory. */
static bool plan_reduction(nm_conv *conv, direct_plan *plan) {
    const nm_conv_desc *d = &conv->desc;
    const size_t step = plan->is_int ? conv->tier->step : 1;
    const bool rows_adjacent = d->groups == 1 && (d->dilation[1] == 1 || d->kernel_width == 1);
    const size_t row = rows_adjacent ? d->kernel_width * d->in_channels : conv->group_in;
    const size_t length = plan->nibbles ? row / 2 : d->group_size ? d->group_size : row;
    plan->gather = row % length != 0;
    plan->segments.count = nm_ceil_div(conv->reduction, length);

    /* A row of zeros adds nothing; only whole rows are worth the trouble. */
    const bool zeros = !plan->is_int || nm_staged_zero(conv) == 0;
    if (zeros && !d->group_size && !runs_through_rows(d))
        plan->skip_segments = plan->segments.count / d->kernel_height;
    if (plan->nibbles) {
        plan->stage = (nm_stage){.element = 1, .height = d->in_height, .width = d->in_width};
    } else if (can_leave_out_padding(conv, plan, step)) {
        plan->stage = nm_stage_unpadded(conv);
        plan->top = d->padding[0];
        plan->left = d->padding[1];
        plan->left_steps = plan->left * conv->group_in / step;
        plan->right_steps = overhang(conv) * conv->group_in / step;
    } else {
        plan->weave = plan->is_int && conv->tier->act_size == 1 && rows_adjacent &&
                      !d->group_size && !d->weight_zero_point && weaving_pays(conv, length);
        plan->stage = nm_stage_plan(conv, !plan->gather && !plan->weave && length % step, 0, 0);
    }
    plan->stage.block = plan->nibbles ? length : nibble_block(conv);
    if (plan->weave) {
        plan->skip_segments = 0;
        plan->segments.count = d->kernel_height / step;
        plan->segments.length = step * length;
        plan->rest.count = d->kernel_height % step > 0;
        plan->rest.length = d->kernel_height % step * length;
    } else {
        plan->segments.length = length;
    }
    return plan_segments(conv, plan) && plan_window(conv, plan);
}

/** Packed weights of a panel, padding included; int4 ones fill whole expand blocks. */
static size_t panel_elements(const nm_conv *conv, const direct_plan *plan, const panel *p) {
    const size_t step = plan->is_int ? conv->tier->step : 1;
    const size_t elements = plan->steps * p->nr * conv->tier->lanes * step;
    return nm_is_int4(conv) ? nm_round_up(elements, 2 * conv->tier->expand_block) : elements;
}

/** Vectors of a panel at most. An int4 panel that few tiles read should stay in the first-level
 * cache when it is expanded, as its stores cost more than a narrower tile then. */
static size_t widest_panel(const nm_conv *conv, const direct_plan *plan) {
    enum { NEAR_BYTES = 24 * 1024, FEW_TILES = 16 };
    const nm_tier *tier = conv->tier;
    const size_t widest = nm_widest_tile(tier), mr = tier->mr[widest];
    const size_t vector = plan->steps * tier->lanes * tier->step * tier->wt_size;
    if (nm_is_int4(conv) && plan->rows == 1 && plan->row_pixels > mr &&
        plan->row_pixels <= FEW_TILES * mr)
        for (size_t nr = widest; nr > 1; --nr)
            if (nr * vector <= NEAR_BYTES)
                return nr;
    return widest;
}

/** Cuts each group's output channels into panels of about equal width, and the pixels into tiles.
 */
static bool plan_panels(nm_conv *conv, direct_plan *plan) {
    const nm_conv_desc *d = &conv->desc;
    const nm_tier *tier = conv->tier;
    const size_t pixels = d->batch * conv->info.out_height * conv->info.out_width;
    plan->rows = runs_through_rows(d) ? 1 : d->batch * conv->info.out_height;
    plan->row_pixels = pixels / plan->rows;

    const size_t vectors = nm_ceil_div(conv->group_out, tier->lanes);
    const size_t per_group = nm_ceil_div(vectors, widest_panel(conv, plan));
    plan->panels = d->groups * per_group;
    plan->panel = nm_alloc(plan->panels * sizeof *plan->panel);
    if (!plan->panel)
        return false;
    size_t units = 0, weights = 0, groups = 0;
    for (size_t i = 0; i < plan->panels; ++i) {
        const size_t group = i / per_group, j = i % per_group;
        const size_t begin = j * vectors / per_group, end = (j + 1) * vectors / per_group;
        const size_t first = begin * tier->lanes;
        const size_t last =
            end * tier->lanes < conv->group_out ? end * tier->lanes : conv->group_out;
        panel *p = &plan->panel[i];
        *p = (panel){.channel = group * conv->group_out + first,
                     .channels = last - first,
                     .group = group,
                     .nr = end - begin,
                     .first_unit = units,
                     .weights = weights,
                     .groups = groups};
        p->row_tiles = nm_ceil_div(plan->row_pixels, tier->mr[p->nr]);
        p->tile_pixels = plan->row_pixels / p->row_tiles;
        p->wide_tiles = plan->row_pixels % p->row_tiles;
        units += plan->rows * p->row_tiles;
        groups += plan->segments.count * p->nr * tier->lanes;
        const size_t elements = panel_elements(conv, plan, p);
        if (elements > plan->panel_weights)
            plan->panel_weights = elements;
        weights += nm_is_int4(conv) ? elements / 2 : plan->is_int ? elements : elements * 4;
    }
    plan->units = units;
    plan->weights = nm_alloc(weights);
    conv->info.weight_bytes += weights;
    if (d->group_size) {
        plan->group_start = nm_alloc(groups * sizeof *plan->group_start);
        plan->group_scale = nm_alloc(groups * sizeof *plan->group_scale);
        conv->info.weight_bytes += groups * 8;
    }
    plan->bias = nm_alloc((d->out_channels + NM_CHANNEL_SLACK) * 4);
    conv->info.weight_bytes += d->out_channels * 4;
    return plan->weights && plan->bias &&
           (!d->group_size || (plan->group_start && plan->group_scale));
}

static size_t segment_count(const direct_plan *plan) {
    return plan->segments.count + plan->rest.count;
}

/** Those to which segment s belongs. */
static const nm_segments *segment_at(const direct_plan *plan, size_t s) {
    return s < plan->segments.count ? &plan->segments : &plan->rest;
}

/** Weights of segment s, which begins at reduction index `begin`: the last one may be shorter. */
static size_t segment_weights(const nm_conv *conv, const direct_plan *plan, size_t s,
                              size_t begin) {
    const size_t left = conv->reduction - begin, whole = segment_at(plan, s)->length;
    return left < whole ? left : whole;
}

/** Spreads a panel's rows, `element` bytes a weight, over `out` as nm_tile.weights says. */
static void spread_panel(const nm_conv *conv, const direct_plan *plan, const panel *p,
                         const char *rows, size_t element, char *out) {
    const size_t step = plan->is_int ? conv->tier->step : 1, chunk = step * element;
    const size_t row_bytes = conv->reduction * element, width = p->nr * conv->tier->lanes * chunk;
    for (size_t s = 0, begin = 0; s < segment_count(plan); ++s) {
        const size_t count = segment_weights(conv, plan, s, begin);
        nm_spread_rows(rows + begin * element, row_bytes, p->channels, count * element, chunk,
                       width, out);
        out += segment_at(plan, s)->steps * width;
        begin += count;
    }
}

/** A filter's rows, woven as the activations are. */
static void weave_filter(const nm_conv *conv, const direct_plan *plan, const int8_t *filter,
                         int8_t *woven) {
    const size_t length = conv->reduction / conv->desc.kernel_height;
    for (size_t s = 0; s < segment_count(plan); ++s) {
        const size_t rows = segment_at(plan, s)->length / length;
        for (size_t i = 0; i < length; ++i)
            for (size_t r = 0; r < rows; ++r)
                *woven++ = filter[r * length + i];
        filter += rows * length;
    }
}

/** Folds the zero points into output channel o's start, the panel's lane `lane`. */
static void fold_channel(const nm_conv *conv, direct_plan *plan, const panel *p, size_t lane,
                         const int8_t *row, const void *bias) {
    const size_t o = p->channel + lane;
    const uint32_t zero = (uint32_t)nm_staged_zero(conv);
    uint32_t total = 0;
    for (size_t s = 0, begin = 0; s < segment_count(plan); ++s) {
        const size_t count = segment_weights(conv, plan, s, begin);
        const int32_t sum = nm_sum(row + begin, count);
        begin += count;
        total += (uint32_t)sum;
        if (plan->group_start) {
            const size_t i = p->groups + s * p->nr * conv->tier->lanes + lane;
            plan->group_start[i] = (int32_t)(0 - zero * (uint32_t)sum);
            plan->group_scale[i] = conv->desc.group_scale[o * plan->segments.count + s];
        }
    }
    if (plan->group_start) {
        ((float *)plan->bias)[o] = bias ? ((const float *)bias)[o] : 0.0f;
    } else {
        const uint32_t start = bias ? (uint32_t)((const int32_t *)bias)[o] : 0;
        const uint32_t both =
            (uint32_t)conv->reduction * zero * (uint32_t)conv->desc.weight_zero_point;
        const uint32_t bits = conv->epilogue.offset ? NM_TWO_23_BITS : 0;
        const uint32_t unit = plan->nibbles ? 16 : 1;
        ((int32_t *)plan->bias)[o] = (int32_t)(unit * (start - zero * total + both) + bits);
    }
}

static nm_status pack(nm_conv *conv, direct_plan *plan, const void *weights, const void *bias) {
    const nm_conv_desc *d = &conv->desc;
    char *const packed = plan->weights;
    if (!plan->is_int) {
        if (bias)
            memcpy(plan->bias, bias, d->out_channels * sizeof(float));
        for (const panel *p = plan->panel; p < plan->panel + plan->panels; ++p)
            spread_panel(conv, plan, p, (const char *)weights + p->channel * conv->reduction * 4, 4,
                         packed + p->weights);
        return NM_OK;
    }
    /* While planning, nibbles are bytes: one row layout for both, packed again at the end. */
    const size_t count = d->out_channels * conv->reduction;
    int8_t *const values = nm_is_int4(conv) ? nm_alloc(count) : NULL;
    char *const spread = nm_is_int4(conv) ? nm_alloc(plan->panel_weights) : NULL;
    int8_t *const woven =
        plan->weave ? nm_alloc(nm_widest_tile(conv->tier) * conv->tier->lanes * conv->reduction)
                    : NULL;
    if ((nm_is_int4(conv) && (!values || !spread)) || (plan->weave && !woven)) {
        free(values);
        free(spread);
        free(woven);
        return NM_OUT_OF_MEMORY;
    }
    if (values)
        nm_unpack_int4(weights, count, NM_INT4, values);
    if (plan->stage.block)
        reorder(values, count, plan->stage.block, (int8_t *)spread);
    const int8_t *const all = values ? values : weights;
    for (const panel *p = plan->panel; p < plan->panel + plan->panels; ++p) {
        const int8_t *rows = all + p->channel * conv->reduction;
        for (size_t lane = 0; lane < p->channels; ++lane) {
            const int8_t *row = rows + lane * conv->reduction;
            fold_channel(conv, plan, p, lane, row, bias);
            if (woven)
                weave_filter(conv, plan, row, woven + lane * conv->reduction);
        }
        if (woven)
            rows = woven;
        if (spread) {
            memset(spread, 0, plan->panel_weights);
            spread_panel(conv, plan, p, (const char *)rows, 1, spread);
            nm_compress_int4(spread, panel_elements(conv, plan, p), conv->tier->expand_block,
                             packed + p->weights);
        } else {
            spread_panel(conv, plan, p, (const char *)rows, 1, packed + p->weights);
        }
    }
    free(values);
    free(spread);
    free(woven);
    return NM_OK;
}

static void name_kernel(nm_conv *conv, const direct_plan *plan) {
    static const char *const types[NM_PRECISION_COUNT] = {"f32", "x8s8", "x8s4", "x4s4"};
    char *name = conv->kernel;
    const panel *p = &plan->panel[0];
    snprintf(name, sizeof conv->kernel, "%s_direct%s_%zux%zu__%s", types[conv->desc.precision],
             conv->desc.group_size ? "_group32"
             : plan->nibbles       ? "_nibbles"
                                   : "",
             conv->tier->mr[p->nr], p->nr * conv->tier->lanes, nm_isa_name(conv->tier->isa));
    if (plan->is_int) {
        const nm_dtype type = conv->desc.input_type;
        name[0] = type == NM_INT8 || type == NM_INT4 ? 's' : 'u';
    }
}

/** Whether each panel serves one pixel only, and a tile can read it as it is kept. */
static bool reads_packed(const nm_conv *conv, const direct_plan *plan) {
    bool can = nm_is_int4(conv) && !conv->desc.group_size && plan->rows * plan->row_pixels == 1 &&
               !plan->left_steps && !plan->right_steps && !plan->weave;
    for (const panel *p = plan->panel; p < plan->panel + plan->panels; ++p)
        can = can && plan->segments.steps % conv->tier->packed_steps[p->nr] == 0;
    return can;
}

/** Whether tiles see their own pixels only, so that those of the first panel can stage them. */
static bool stages_tiles(const nm_conv *conv, const direct_plan *plan) {
    return is_pointwise(&conv->desc) && !nm_input_is_native(conv) && !plan->gather &&
           !plan->nibbles && conv->desc.groups == 1;
}

/** Whether the tier has such tiles, and they can: each makes whole expand blocks. */
static bool expands_along(const nm_conv *conv, const direct_plan *plan, const panel *p) {
    const size_t together = conv->tier->packed_steps[p->nr];
    return plan->expand && nm_is_int4(conv) && !conv->desc.group_size && !plan->weave &&
           !plan->nibbles && conv->tier->tile_expanding[p->nr][1] &&
           plan->left_steps % together == 0 && plan->right_steps % together == 0 &&
           plan->segments.steps % together == 0;
}

static nm_status create(nm_conv *conv, const void *weights, const void *bias) {
    direct_plan *plan = nm_alloc(sizeof *plan);
    if (!plan)
        return NM_OUT_OF_MEMORY;
    conv->plan = plan;
    plan->is_int = conv->desc.precision != NM_F32;
    plan->expand = plan->is_int && (nm_is_int4(conv) || conv->tier->wt_size != 1);
    plan->nibbles = reads_nibbles(conv, bias);
    if (!plan_reduction(conv, plan) || !plan_panels(conv, plan))
        return NM_OUT_OF_MEMORY;
    plan->stage_tiles = stages_tiles(conv, plan);
    plan->stage_near = plan->stage_tiles && plan->panels == 1;
    if (plan->stage_near)
        plan->stage.bytes = 0;
    plan->packed = reads_packed(conv, plan);
    plan->expand &= !plan->packed;
    for (panel *p = plan->panel; p < plan->panel + plan->panels; ++p)
        p->expands_along = expands_along(conv, plan, p);
    const size_t below_padding = nm_ceil_div(conv->desc.padding[0], conv->desc.stride[0]);
    if (plan->expand && plan->skip_segments && below_padding < plan->rows)
        plan->first_row = below_padding;
    const uint64_t unit = plan->nibbles ? 16 : 1;
    for (size_t o = 0; plan->nibbles && o < conv->desc.out_channels; ++o)
        ((float *)conv->epilogue.scale)[o] /= (float)unit;
    if (plan->is_int && !conv->desc.group_size &&
        !nm_epilogue_offset(conv, &conv->epilogue,
                            unit * (nm_largest_sum(conv) + nm_largest_bias(conv, bias))))
        return NM_OUT_OF_MEMORY;
    name_kernel(conv, plan);
    return pack(conv, plan, weights, bias);
}

/* ---- Running -------------------------------------------------------------------------------- */

static size_t expanded_bytes(const nm_conv *conv, const direct_plan *plan) {
    return plan->expand ? nm_piece(plan->panel_weights * conv->tier->wt_size) : 0;
}

/** What a thread makes of the input for itself: a tile's windows, or the rows of one output row. */
static size_t made_input_bytes(const nm_conv *conv, const direct_plan *plan) {
    size_t elements = 0;
    if (plan->gather || plan->stage_near)
        elements = NM_MAX_MR * plan->segments.count * plan->segments.length;
    else if (plan->weave)
        elements = conv->desc.kernel_height * row_length(conv, plan);
    return elements ? nm_piece(elements * plan->stage.element + NM_ACTIVATION_SLACK) : 0;
}

/** Whether each of several threads had better stage all of the input for itself than wait for the
 * others' parts and fetch them from their caches. */
static bool stages_copies(const direct_plan *plan) {
    enum { SMALL_BYTES = 64 * 1024 };
    return plan->stage.bytes > 0 && plan->stage.bytes <= SMALL_BYTES;
}

static size_t workspace_size(const nm_conv *conv, unsigned threads) {
    const direct_plan *plan = conv->plan;
    const unsigned useful = nm_useful_threads(conv, threads);
    return (stages_copies(plan) ? useful : 1) * plan->stage.bytes +
           useful * (expanded_bytes(conv, plan) + made_input_bytes(conv, plan));
}

/** First pixel of a row's tile: tiles differ by one pixel at most, the wider ones first. */
static size_t tile_pixel(const panel *p, size_t tile) {
    return tile * p->tile_pixels + (tile < p->wide_tiles ? tile : p->wide_tiles);
}

/** What a thread works with. */
typedef struct worker {
    const nm_conv *conv;
    const direct_plan *plan;
    const char *input;    /* as the tiles read it */
    const void *unstaged; /* what each tile's pixels are to be staged from first, or NULL */
    char *output;
    /* Its own: */
    char *expanded; /* weights of the panel `holds` ... */
    const panel *holds;
    char *made_input; /* what is gathered, staged for a tile, or woven */
} worker;

/** Copies the tile's windows side by side and points the tile at them. */
static void gather(const worker *w, nm_tile *tile, size_t pixels) {
    const direct_plan *plan = w->plan;
    const nm_conv *conv = w->conv;
    const size_t tap_bytes = conv->group_in * plan->stage.element;
    const size_t pixel_bytes = conv->desc.in_channels * plan->stage.element;
    for (size_t m = 0; m < pixels; ++m) {
        const char *in =
            (const char *)tile->segments.input + m * conv->desc.stride[1] * pixel_bytes;
        char *out = w->made_input + m * gathered_pixel(plan);
        for (size_t t = 0; t < plan->taps; ++t)
            memcpy(out + t * tap_bytes, in + plan->window[t], tap_bytes);
    }
    tile->segments.input = w->made_input;
}

/** Weaves the rows that an output row sees, of which `row` is the first. */
static void weave(const worker *w, const char *row) {
    const nm_tier *tier = w->conv->tier;
    const nm_conv_desc *d = &w->conv->desc;
    const size_t length = row_length(w->conv, w->plan), row_bytes = length * w->plan->stage.element;
    const void *together[4];
    for (size_t first = 0; first < d->kernel_height; first += tier->step) {
        const size_t rows = rows_together(w->conv, first);
        for (size_t r = 0; r < rows; ++r)
            together[r] = row + (first + r) * d->dilation[0] * row_bytes;
        tier->weave(together, rows, length, w->made_input + first * row_bytes);
    }
}

/** Leaves out the kernel rows that lie in the padding above or below output row oh. */
static void skip_padding(const nm_conv *conv, const direct_plan *plan, size_t oh, nm_tile *tile) {
    const nm_conv_desc *d = &conv->desc;
    const size_t top = oh * d->stride[0], above = d->padding[0], dilation = d->dilation[0];
    const size_t first = top < above ? nm_ceil_div(above - top, dilation) : 0;
    const size_t below = above + d->in_height; /* first padded row below, counted like top */
    size_t end = top < below ? nm_ceil_div(below - top, dilation) : 0;
    end = end < d->kernel_height ? end : d->kernel_height;
    const size_t skipped = first < end ? first * plan->skip_segments : 0;
    tile->segments.segment += skipped;
    tile->segments.count = first < end ? (end - first) * plan->skip_segments : 0;
}

/** Points the tile at the weights of its segments, which become bytes with the first tile of a
 *  panel. */
static void find_weights(worker *w, const panel *p, nm_tile *tile) {
    const direct_plan *plan = w->plan;
    const nm_tier *tier = w->conv->tier;
    const bool int4 = nm_is_int4(w->conv);
    const size_t step = p->nr * tier->lanes * (plan->is_int ? tier->step : 1);
    const size_t segment = plan->segments.steps * step;
    const size_t begin = (size_t)(tile->segments.segment - plan->offsets) * segment;
    const size_t end =
        begin + tile->segments.count * segment + tile->rest.count * tile->rest.steps * step;
    const size_t weight_bits = !plan->is_int ? 32 : int4 ? 4 : 8;
    const char *const kept = (const char *)plan->weights + p->weights;
    tile->weights =
        plan->expand ? w->expanded + begin * tier->wt_size : kept + begin * weight_bits / 8;
    if (!plan->expand || w->holds == p)
        return;
    w->holds = p;
    const size_t count = panel_elements(w->conv, plan, p);
    if (plan->nibbles) {
        tier->expand_high(kept, segment, w->expanded);
        tier->expand(kept + segment / 2, true, segment, w->expanded + segment * tier->wt_size);
        return;
    }
    if (!p->expands_along) {
        tier->expand(kept, int4, count, w->expanded);
        return;
    }
    tile->packed = kept + begin / 2;
    tier->expand(kept, true, begin, w->expanded);
    tier->expand(kept + end / 2, true, count - end, w->expanded + end * tier->wt_size);
}

/** Hands a tile to the microkernel of its kind and size. */
static void run_tile(const worker *w, const panel *p, nm_tile *tile, size_t mr) {
    const direct_plan *plan = w->plan;
    const nm_tier *tier = w->conv->tier;
    if (plan->gather)
        gather(w, tile, mr);
    if (!plan->is_int) {
        (tile->ahead ? tier->tile_asking_f32 : tier->tile_f32)[p->nr][mr](tile);
        return;
    }
    if (w->conv->desc.group_size) {
        tier->tile_grouped[p->nr][mr](tile);
        return;
    }
    int32_t pixel_term[NM_MAX_MR];
    if (w->conv->desc.weight_zero_point) {
        const uint32_t zero = (uint32_t)w->conv->desc.weight_zero_point;
        tier->window_sums(&tile->segments, mr, pixel_term);
        for (size_t m = 0; m < mr; ++m)
            pixel_term[m] = (int32_t)(0 - zero * (uint32_t)pixel_term[m]);
        tile->pixel_term = pixel_term;
    }
    if (plan->packed)
        tier->tile_packed[p->nr](tile);
    else if (plan->nibbles)
        tier->tile_nibbles[p->nr][mr](tile);
    else if (tile->packed)
        tier->tile_expanding[p->nr][mr](tile);
    else if (tile->ahead)
        tier->tile_asking[p->nr][mr](tile);
    else
        tier->tile_int[p->nr][mr](tile);
}

/* Of what comes from memory, so many bytes at least are asked for ahead. Of pixels of some
 * kilobytes the processor asks by itself. */
enum { LEAST_AHEAD = 2048, MOST_ASKED = 8192 };

/** How far ahead of a tile's `bytes`: two tiles. */
static size_t ahead_of(size_t bytes) { return 2 * bytes > LEAST_AHEAD ? 2 * bytes : LEAST_AHEAD; }

/** Asks for what lies ahead of a tile's `bytes`. Inlined, as gcc drops calls of functions that do
 * nothing else. */
static inline __attribute__((always_inline)) void ask_ahead(const char *tile, size_t bytes) {
    enum { LINE = 64 };
    if (bytes > MOST_ASKED)
        return;
    const char *const ahead = tile + ahead_of(bytes);
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch(ahead + i);
}

/** Asks for the pixels ahead of a tile's `bytes` of them, or has the tile do so as it goes. */
static void ask_for_pixels(const worker *w, nm_tile *tile, const char *pixels, size_t bytes) {
    enum { AT_ONCE = 1024 };
    const bool can_ask = !w->conv->desc.group_size && !w->plan->gather && !w->plan->nibbles;
    const bool goes = can_ask && bytes > AT_ONCE && bytes <= MOST_ASKED;
    tile->ahead = goes ? (uint32_t)ahead_of(bytes) : 0;
    if (!goes)
        ask_ahead(pixels, bytes);
}

/** Computes tiles begin..end of a panel's row `turned`, counted from plan->first_row. What they
 * have in common is worked out once: it is as much as a small tile. */
static void run_row(worker *w, const panel *p, size_t turned, size_t begin, size_t end) {
    const direct_plan *plan = w->plan;
    const nm_conv *conv = w->conv;
    const nm_conv_desc *d = &conv->desc;
    const size_t around = turned + plan->first_row;
    const size_t r = around < plan->rows ? around : around - plan->rows;
    const size_t n = plan->rows == 1 ? 0 : r / conv->info.out_height;
    const size_t oh = r - n * conv->info.out_height;
    const ptrdiff_t row =
        (ptrdiff_t)(n * plan->stage.height + oh * d->stride[0]) - (ptrdiff_t)plan->top;
    const size_t element = plan->stage.element, pixel_bytes = pixel_size(conv, plan);
    const char *const input =
        w->input +
        (row * (ptrdiff_t)plan->stage.width - (ptrdiff_t)plan->left) * (ptrdiff_t)pixel_bytes;
    const size_t output_element = nm_tensor_bytes(d->output_type, 1);
    const size_t output_pixel = d->out_channels * output_element;
    char *const output =
        w->output + r * plan->row_pixels * output_pixel + p->channel * output_element;
    nm_tile tile = {
        .segments = plan->segments,
        .rest = plan->rest,
        .small_activations = d->precision == NM_W4A4,
        .bias = (const char *)plan->bias + p->channel * 4,
        .output_stride = (ptrdiff_t)output_pixel,
        .channel = p->channel,
        .channels = p->channels,
        .epilogue = &conv->epilogue,
    };
    if (d->group_size) {
        tile.group_start = plan->group_start + p->groups;
        tile.group_scale = plan->group_scale + p->groups;
    }
    if (plan->skip_segments && (d->padding[0] || d->padding[2]))
        skip_padding(conv, plan, oh, &tile);
    find_weights(w, p, &tile);
    if (plan->weave)
        weave(w, input);
    const bool from_memory = conv->rounds > 1 && p == plan->panel; /* not from a cache */
    for (size_t t = begin; t < end; ++t) {
        const size_t x = tile_pixel(p, t), mr = tile_pixel(p, t + 1) - x;
        const char *const in = input + x * d->stride[1] * pixel_bytes;
        tile.segments.input = in + p->group * conv->group_in * element;
        if (plan->weave) {
            tile.segments.input = w->made_input + (ptrdiff_t)x * plan->segments.pixel_stride;
            tile.rest.input = w->made_input + (ptrdiff_t)x * plan->rest.pixel_stride;
        } else if (w->unstaged) {
            char *const to = plan->stage_near ? w->made_input : (char *)in;
            nm_stage_run(conv, &plan->stage, w->unstaged, x * d->in_channels, mr * d->in_channels,
                         to);
            tile.segments.input = to;
        }
        tile.left_steps = x == 0 ? plan->left_steps : 0;
        tile.right_steps = x + mr == plan->row_pixels ? plan->right_steps : 0;
        tile.output = output + x * output_pixel;
        if (from_memory) {
            if (runs_through_rows(d) && !w->unstaged)
                ask_for_pixels(w, &tile, in, mr * pixel_bytes);
            ask_ahead(tile.output, mr * output_pixel);
        }
        run_tile(w, p, &tile, mr);
        tile.packed = NULL;
    }
}

/** Computes units begin..end, which are all rows' tiles of a panel, then the next panel's. */
static void run_units(worker *w, size_t begin, size_t end) {
    const direct_plan *plan = w->plan;
    const panel *p = plan->panel;
    while (p + 1 < plan->panel + plan->panels && begin >= p[1].first_unit)
        ++p;
    size_t row = (begin - p->first_unit) / p->row_tiles;
    size_t tile = (begin - p->first_unit) % p->row_tiles;
    while (begin < end) {
        const size_t left = end - begin, rest = p->row_tiles - tile;
        const size_t tiles = left < rest ? left : rest;
        run_row(w, p, row, tile, tile + tiles);
        begin += tiles;
        tile = 0;
        if (++row == plan->rows) {
            row = 0;
            ++p;
        }
    }
}

enum { LEAST_TILES = 8 }; /* a thread's, for threads to share a panel's */

/** Into how many blocks each of a team cuts its pixels, to take all panels of a block before the
 * next: what they read and write of it stays in the second-level cache, and what a thread has
 * staged is in its own. 0 where it takes some panels of all pixels, as weights are many or pixels
 * few. */
static size_t blocks_of_pixels(const nm_conv *conv, const direct_plan *plan, size_t team) {
    enum { RESIDENT_WEIGHTS = 1024 * 1024, BLOCK_BYTES = 1024 * 1024 };
    const nm_conv_desc *d = &conv->desc;
    const size_t weight = plan->is_int ? 1 : sizeof(float);
    const size_t blocks = plan->rows * plan->panel->row_tiles / (LEAST_TILES * team);
    if (plan->panels * plan->panel_weights * weight > RESIDENT_WEIGHTS)
        return 0;
    if (plan->expand) /* a panel takes a tile's time at most */
        return blocks >= (plan->stage.needed ? 1 : 4);
    const size_t inputs = d->in_height * d->in_width * d->in_channels;
    const size_t outputs = conv->info.out_height * conv->info.out_width * d->out_channels;
    const size_t bytes =
        d->batch * (inputs * plan->stage.element + nm_tensor_bytes(d->output_type, outputs));
    const size_t wanted = nm_ceil_div(bytes, BLOCK_BYTES * team);
    return wanted < blocks ? wanted : blocks;
}

static void run(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads) {
    const direct_plan *plan = conv->plan;
    const unsigned useful = nm_useful_threads(conv, threads);
    const bool copies = useful > 1 && stages_copies(plan);
    const size_t per_thread = expanded_bytes(conv, plan) + made_input_bytes(conv, plan);
    char *const scratch = (char *)workspace + (copies ? useful : 1) * plan->stage.bytes;
    const size_t staged_rows = conv->desc.batch * plan->stage.height;
#pragma omp parallel num_threads(useful) if (useful > 1)
    {
        const size_t me = (size_t)omp_get_thread_num(), team = (size_t)omp_get_num_threads();
        char *const staged = (char *)workspace + (copies ? me : 0) * plan->stage.bytes;
        worker w = {.conv = conv,
                    .plan = plan,
                    .input = plan->stage.needed ? staged : input,
                    .output = output,
                    .expanded = scratch + me * per_thread,
                    .made_input = scratch + me * per_thread + expanded_bytes(conv, plan)};
        const panel *first = plan->panel;
        const size_t tiles = plan->rows * first->row_tiles;
        if (copies) {
            nm_stage_rows(conv, &plan->stage, input, staged, 0, staged_rows);
        } else if (plan->stage_near || (plan->stage_tiles && tiles >= LEAST_TILES * team)) {
            w.unstaged = input;
            run_units(&w, me * tiles / team, (me + 1) * tiles / team);
            w.unstaged = NULL;
            ++first;
        } else if (plan->stage.needed) {
            nm_stage_rows(conv, &plan->stage, input, staged, me * staged_rows / team,
                          (me + 1) * staged_rows / team);
        }
        if (plan->stage.needed && !copies) {
#pragma omp barrier
        }
        const size_t blocks = blocks_of_pixels(conv, plan, team), all = blocks * team;
        for (size_t b = me * blocks; b < (me + 1) * blocks; ++b)
            for (const panel *p = first; p < plan->panel + plan->panels; ++p) {
                const size_t units = plan->rows * p->row_tiles;
                run_units(&w, p->first_unit + b * units / all,
                          p->first_unit + (b + 1) * units / all);
            }
        if (blocks == 0) {
            const size_t begin = first == plan->panel ? 0 : tiles, units = plan->units - begin;
            run_units(&w, begin + me * units / team, begin + (me + 1) * units / team);
        }
    }
}

const nm_family nm_family_direct = {
    .algorithm = NM_ALGORITHM_DIRECT,
    .supports = supports,
    .create = create,
    .destroy = destroy,
    .workspace_size = workspace_size,
    .run = run,
};
