#include "conv_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/** Random cases stay below this, so that hundreds run in a second. */
#define RANDOM_MACS (1 << 20)

/** Strides, dilations and groups not given are 1; see conv_specs(). */
#define SPEC(id, b, h, w, ci, co, kh, kw, ...)                                                     \
    {                                                                                              \
        .name = id, .batch = (b), .height = (h), .width = (w), .in_channels = (ci),                \
        .out_channels = (co), .kernel = {(kh), (kw)}, __VA_ARGS__                                  \
    }
#define STRIDE(h, w) .stride = {(h), (w)}
#define DILATION(h, w) .dilation = {(h), (w)}
/* Padding that multiplies to nothing, on every tier, where the input is unsigned or signed. */
#define PADDING_IS_ZERO .input_zero = ZERO_MIN, .weight_zero = ZERO_NONE
#define PAD(top, left, bottom, right) .padding = {(top), (left), (bottom), (right)}

static const conv_spec variants[] = {
    SPEC("one_value", 1, 1, 1, 1, 1, 1, 1, ),
    SPEC("conv1x1", 1, 7, 9, 40, 24, 1, 1, ),
    SPEC("conv1x1_long", 1, 2, 3, 300, 70, 1, 1, ),
    SPEC("conv1x1_stride2", 1, 9, 7, 19, 21, 1, 1, STRIDE(2, 2)),
    SPEC("conv1x1_padded", 1, 4, 4, 8, 8, 1, 1, PAD(1, 2, 0, 1)),
    SPEC("conv3x3", 1, 10, 11, 16, 32, 3, 3, PAD(1, 1, 1, 1)),
    SPEC("conv3x3_valid", 1, 9, 10, 20, 18, 3, 3, ),
    SPEC("conv3x3_wide", 1, 5, 35, 8, 16, 3, 3, PAD(1, 1, 1, 1)),
    SPEC("conv3x3_stride2", 1, 11, 12, 12, 16, 3, 3, STRIDE(2, 2), PAD(0, 0, 1, 1)),
    SPEC("conv3x3_batch2", 2, 7, 6, 24, 33, 3, 3, PAD(1, 1, 1, 1)),
    SPEC("conv3x3_dilated", 1, 11, 10, 16, 20, 3, 3, DILATION(2, 2), PAD(2, 2, 2, 2)),
    SPEC("conv3x3_dilated_rows", 1, 9, 9, 5, 9, 3, 3, DILATION(3, 1), PAD(1, 0, 2, 1)),
    SPEC("conv3x3_groups2", 1, 6, 7, 32, 24, 3, 3, PAD(1, 1, 1, 1), .groups = 2),
    SPEC("conv3x3_groups3", 2, 5, 6, 15, 21, 3, 3, PAD(1, 1, 1, 1), .groups = 3),
    SPEC("conv1x1_groups4", 1, 5, 5, 64, 32, 1, 1, .groups = 4),
    SPEC("conv3x3_zero_padding", 2, 4, 7, 16, 80, 3, 3, PAD(1, 1, 1, 1), PADDING_IS_ZERO),
    SPEC("conv3x3_zero_padding_few_steps", 1, 5, 9, 4, 50, 3, 3, PAD(1, 1, 1, 1), PADDING_IS_ZERO),
    SPEC("conv3x3_zero_padding_stride2", 1, 9, 14, 16, 48, 3, 3, STRIDE(2, 2), PAD(1, 1, 1, 1),
         PADDING_IS_ZERO),
    SPEC("conv3x3_zero_padding_low", 1, 2, 9, 8, 20, 3, 3, PAD(2, 1, 2, 1), PADDING_IS_ZERO),
    SPEC("conv1x1_panels", 1, 12, 23, 64, 208, 1, 1, ),
    SPEC("conv1x1_one_panel", 1, 5, 30, 128, 20, 1, 1, ),
    SPEC("conv1x1_few_tiles", 1, 3, 6, 512, 70, 1, 1, ),
    SPEC("conv5x5", 1, 12, 11, 32, 32, 5, 5, ),
    SPEC("conv5x5_rgb", 1, 12, 15, 3, 32, 5, 5, ),
    SPEC("conv5x5_padded", 1, 7, 7, 9, 17, 5, 5, PAD(2, 2, 2, 2)),
    SPEC("conv7x7_stride2", 1, 17, 18, 3, 16, 7, 7, STRIDE(2, 2), PAD(3, 3, 3, 3)),
    SPEC("conv1x7", 1, 4, 13, 11, 13, 1, 7, PAD(0, 3, 0, 3)),
    SPEC("conv7x1", 1, 13, 4, 11, 13, 7, 1, PAD(3, 0, 3, 0)),
    SPEC("conv2x2_stride3", 1, 10, 11, 10, 12, 2, 2, STRIDE(3, 3)),
    SPEC("conv3x2_uneven", 1, 8, 9, 7, 10, 3, 2, STRIDE(1, 2), DILATION(2, 1), PAD(3, 1, 0, 2)),
    SPEC("depthwise3x3", 1, 9, 10, 32, 32, 3, 3, PAD(1, 1, 1, 1), .groups = 32),
    SPEC("depthwise3x3_stride2", 2, 9, 8, 19, 19, 3, 3, STRIDE(2, 2), PAD(1, 1, 1, 1),
         .groups = 19),
    SPEC("depthwise3x3_odd", 1, 6, 7, 65, 65, 3, 3, PAD(1, 1, 1, 1), .groups = 65),
    SPEC("depthwise5x5_dilated", 1, 11, 11, 17, 17, 5, 5, DILATION(2, 2), PAD(4, 4, 4, 4),
         .groups = 17),
    SPEC("depthwise1x1", 1, 4, 5, 33, 33, 1, 1, .groups = 33),
    SPEC("depthwise_times3", 1, 5, 6, 7, 21, 3, 3, PAD(1, 1, 1, 1), .groups = 7),
    SPEC("small_input_padded", 1, 2, 1, 12, 9, 3, 3, PAD(1, 2, 1, 2)),
    SPEC("small_input_5x5", 1, 1, 3, 6, 8, 5, 5, PAD(2, 2, 2, 2)),
    SPEC("padding_beyond_kernel", 1, 3, 3, 8, 8, 3, 3, PAD(4, 5, 4, 3)),
    SPEC("only_top_left", 1, 6, 6, 10, 10, 3, 3, PAD(2, 2, 0, 0)),
    SPEC("only_bottom_right", 1, 6, 6, 10, 10, 3, 3, PAD(0, 0, 2, 2)),
    SPEC("whole_input", 1, 6, 5, 13, 40, 6, 5, ),
    SPEC("dense", 1, 1, 1, 257, 10, 1, 1, ),
};
static const size_t tile_sizes[] = {4, 7, 8, 14, 16, 32, 64};

static conv_spec plain(size_t height, size_t width, size_t in_channels, size_t out_channels,
                       size_t kernel) {
    const size_t pad = kernel / 2;
    return (conv_spec){.batch = 1,
                       .height = height,
                       .width = width,
                       .in_channels = in_channels,
                       .out_channels = out_channels,
                       .kernel = {kernel, kernel},
                       .stride = {1, 1},
                       .dilation = {1, 1},
                       .padding = {pad, pad, pad, pad},
                       .groups = 1};
}

/** One less and one more than each tile size, along each dimension that is tiled. */
static size_t add_tails(conv_spec *specs) {
    size_t n = 0;
    for (size_t i = 0; i < COUNT(tile_sizes); i++)
        for (size_t size = tile_sizes[i] - 1; size <= tile_sizes[i] + 1; size++) {
            specs[n] = plain(4, 5, size, 9, 3);
            snprintf(specs[n++].name, sizeof specs->name, "tail_in_channels_%zu", size);
            specs[n] = plain(3, 5, 6, size, 3);
            snprintf(specs[n++].name, sizeof specs->name, "tail_out_channels_%zu", size);
            specs[n] = plain(3, size, 5, 18, 3);
            snprintf(specs[n++].name, sizeof specs->name, "tail_width_%zu", size);
            specs[n] = plain(2, 3, size, size, 3);
            specs[n].groups = size;
            snprintf(specs[n++].name, sizeof specs->name, "tail_depthwise_%zu", size);
            specs[n] = plain(1, size, size, size + 1, 1);
            snprintf(specs[n++].name, sizeof specs->name, "tail_pointwise_%zu", size);
        }
    return n;
}

/** Extremes of inputs x weights x zero points: where 16-bit and 32-bit intermediates overflow. */
static size_t add_extremes(conv_spec *specs) {
    static const char *const fills[] = {"random", "min", "max", "ends"};
    static const char *const zeros[] = {"random", "min", "max"};
    size_t n = 0;
    for (int in = FILL_MIN; in <= FILL_ENDS; in++)
        for (int weight = FILL_MIN; weight <= FILL_ENDS; weight++)
            for (int in_zero = ZERO_MIN; in_zero <= ZERO_MAX; in_zero++)
                for (int weight_zero = ZERO_MIN; weight_zero <= ZERO_MAX; weight_zero++)
                    for (int shape = 0; shape < 3; shape++) {
                        conv_spec *s = &specs[n++];
                        *s = shape == 0   ? plain(5, 6, 36, 17, 3)
                             : shape == 1 ? plain(7, 7, 8, 20, 5)
                                          : plain(4, 5, 35, 35, 3);
                        s->groups = shape == 2 ? 35 : 1;
                        s->input_fill = (fill)in;
                        s->weight_fill = (fill)weight;
                        s->input_zero = (zero_point)in_zero;
                        s->weight_zero = (zero_point)weight_zero;
                        snprintf(s->name, sizeof s->name, "extreme%d_%s_%s_zero_%s_%s", shape,
                                 fills[in], fills[weight], zeros[in_zero], zeros[weight_zero]);
                    }
    return n;
}

/** 8-bit sums that reach as far as Winograd goes: four times them is nearly 2^31, 64 times (of
 *  tiles of 4x4) likewise. */
static size_t add_longest(conv_spec *specs) {
    static const size_t in_channels[] = {1820, 114};
    for (size_t i = 0; i < 4; i++) {
        specs[i] = plain(3, 3, in_channels[i / 2], 5, 3);
        specs[i].input_fill = FILL_MAX;
        specs[i].weight_fill = i % 2 == 0 ? FILL_MIN : FILL_MAX;
        specs[i].input_zero = ZERO_MIN;
        snprintf(specs[i].name, sizeof specs->name, "longest_%zu_%s", in_channels[i / 2],
                 i % 2 == 0 ? "min" : "max");
    }
    return 4;
}

/** Few channels and kernels of every height, whose rows some tiers weave together; runs of less
 *  than 16 bytes to a row, and of more. */
static size_t add_woven(conv_spec *specs) {
    static const size_t in_channels[] = {1, 3, 5};
    size_t n = 0;
    for (size_t i = 0; i < COUNT(in_channels); i++)
        for (size_t height = 2; height <= 9; height++) {
            conv_spec *s = &specs[n++];
            *s = plain(height + 2, 13, in_channels[i], 18 + 16 * i, 3);
            s->kernel[0] = height;
            s->stride[0] = 1 + height % 2;
            s->dilation[0] = 1 + (height + i) % 2;
            s->padding[0] = height;
            s->padding[2] = height / 2;
            s->stride[1] = 1 + i % 2;
            snprintf(s->name, sizeof s->name, "woven_%zu_rows_%zu_channels", height,
                     in_channels[i]);
        }
    return n;
}

/** Depthwise as in networks, without a weight zero point and with ReLU's output zero point: whole
 *  blocks of channels and what may be left of them, parts of rows that overlap, odd rows, odd and
 *  even numbers of pixels. */
static size_t add_depthwise(conv_spec *specs) {
    static const size_t channels[] = {1, 2, 16, 18, 32, 34, 64, 66, 96, 128, 130, 144, 226};
    static const size_t widths[] = {1, 2, 3, 5, 7, 8, 13};
    size_t n = 0;
    for (size_t i = 0; i < 2 * COUNT(channels); i++)
        for (size_t stride = 1; stride <= 2; stride++) {
            const size_t width = widths[n % COUNT(widths)], c = channels[i % COUNT(channels)];
            conv_spec *s = &specs[n];
            *s = plain(3 + n % 3, width, c, c, 3);
            n++;
            s->groups = c;
            s->stride[0] = s->stride[1] = stride;
            s->weight_zero = ZERO_NONE;
            s->output_zero = ZERO_MIN;
            snprintf(s->name, sizeof s->name, "depthwise_relu_%zu_width%zu_stride%zu", c, width,
                     stride);
        }
    return n;
}

/** Pointwise layers as in networks, of many pixels, whose nibbles some tiers read as they are
 * packed: one panel and more, tails of pixels, and the extremes of what 16 times the sums are. */
static size_t add_pointwise(conv_spec *specs) {
    static const size_t in_channels[] = {16, 32, 48, 144}, out_channels[] = {1, 24, 32, 65, 130};
    size_t n = 0;
    for (size_t i = 0; i < COUNT(in_channels); i++)
        for (size_t o = 0; o < COUNT(out_channels); o++) {
            conv_spec *s = &specs[n];
            *s = plain(4 + n % 5, 57 + n % 3, in_channels[i], out_channels[o], 1);
            s->batch = 1 + n % 2;
            s->weight_zero = ZERO_NONE;
            s->output_zero = n % 3 == 0 ? ZERO_MIN : ZERO_RANDOM;
            s->input_fill = n % 4 == 1 ? FILL_MAX : FILL_RANDOM;
            s->weight_fill = n % 4 == 1 ? FILL_MIN : FILL_RANDOM;
            n++;
            snprintf(s->name, sizeof s->name, "pointwise_%zu_%zu", in_channels[i], out_channels[o]);
        }
    return n;
}

const conv_spec *conv_specs(size_t *count) {
    static conv_spec specs[512];
    memcpy(specs, variants, sizeof variants);
    size_t n = COUNT(variants);
    for (size_t i = 0; i < n; i++) {
        for (size_t axis = 0; axis < 2; axis++) {
            specs[i].stride[axis] += specs[i].stride[axis] == 0;
            specs[i].dilation[axis] += specs[i].dilation[axis] == 0;
        }
        specs[i].groups += specs[i].groups == 0;
    }
    n += add_tails(specs + n);
    n += add_extremes(specs + n);
    n += add_longest(specs + n);
    n += add_woven(specs + n);
    n += add_depthwise(specs + n);
    n += add_pointwise(specs + n);
    *count = n;
    return specs;
}

size_t conv_spec_every(void) {
    const char *text = getenv("NARROWMAC_TEST_EVERY");
    const long every = text != NULL ? strtol(text, NULL, 10) : 1;
    return every > 1 ? (size_t)every : 1;
}

bool conv_spec_fits(const conv_spec *s, const conv_kind *kind) {
    if (kind->algorithm < NM_ALGORITHM_WINOGRAD)
        return true;
    const bool five = s->kernel[0] == 5 && kind->algorithm == NM_ALGORITHM_WINOGRAD;
    return s->kernel[0] == s->kernel[1] && (s->kernel[0] == 3 || five) && s->stride[0] == 1 &&
           s->stride[1] == 1 && s->dilation[0] == 1 && s->dilation[1] == 1 && s->groups == 1 &&
           s->weight_zero != ZERO_MAX; /* there is none: one stands for all */
}

/** Half the time near a tile size, else small. */
static size_t random_channels(rng *r) {
    if (rng_next(r) % 2 == 0)
        return (size_t)rng_between(r, 1, 24);
    const int64_t size = (int64_t)tile_sizes[rng_next(r) % COUNT(tile_sizes)];
    return (size_t)(size * rng_between(r, 1, 2) + rng_between(r, -1, 1));
}

static void random_channels_and_groups(conv_spec *s, rng *r) {
    switch (rng_next(r) % 4) {
    case 0: /* depthwise, some with several outputs a channel */
        s->groups = s->in_channels = random_channels(r);
        s->out_channels =
            s->in_channels * (rng_next(r) % 2 == 0 ? 1 : (size_t)rng_between(r, 2, 3));
        break;
    case 1:
        s->groups = (size_t)rng_between(r, 2, 4);
        s->in_channels = s->groups * (size_t)rng_between(r, 1, 40);
        s->out_channels = s->groups * (size_t)rng_between(r, 1, 40);
        break;
    default:
        s->groups = 1;
        s->in_channels = random_channels(r);
        s->out_channels = random_channels(r);
    }
}

static conv_spec random_direct(rng *r) {
    conv_spec s = {.name = "random", .batch = (size_t)rng_between(r, 1, 2)};
    size_t *const size[2] = {&s.height, &s.width};
    for (size_t axis = 0; axis < 2; axis++) {
        static const int64_t kernels[] = {1, 1, 2, 3, 3, 3, 4, 5, 7};
        s.kernel[axis] = (size_t)kernels[rng_next(r) % COUNT(kernels)];
        s.stride[axis] = (size_t)(rng_next(r) % 2 == 0 ? 1 : rng_between(r, 1, 4));
        s.dilation[axis] = (size_t)(rng_next(r) % 3 == 0 ? rng_between(r, 1, 3) : 1);
        const size_t extent = (s.kernel[axis] - 1) * s.dilation[axis] + 1;
        const bool padded = rng_next(r) % 3 != 0;
        s.padding[axis] = padded ? (size_t)rng_between(r, 0, (int64_t)extent) : 0;
        s.padding[axis + 2] = padded ? (size_t)rng_between(r, 0, (int64_t)extent) : 0;
        const size_t padding = s.padding[axis] + s.padding[axis + 2];
        const size_t least = extent > padding ? extent - padding : 1;
        *size[axis] = least + (size_t)rng_between(r, 0, 17);
    }
    random_channels_and_groups(&s, r);
    return s;
}

static conv_spec random_winograd(rng *r, nm_algorithm algorithm) {
    const size_t kernel = rng_next(r) % 2 == 0 || algorithm == NM_ALGORITHM_WINOGRAD4 ? 3 : 5;
    conv_spec s =
        plain(kernel + (size_t)rng_between(r, 0, 15), kernel + (size_t)rng_between(r, 0, 32),
              random_channels(r), random_channels(r), kernel);
    snprintf(s.name, sizeof s.name, "random");
    s.batch = (size_t)rng_between(r, 1, 2);
    for (size_t side = 0; side < 4; side++)
        s.padding[side] = (size_t)rng_between(r, 0, (int64_t)kernel);
    return s;
}

/** At least the multiply-accumulates of the spec. */
static size_t most_macs(const conv_spec *s) {
    const size_t rows = (s->height + s->padding[0] + s->padding[2]) / s->stride[0] + 1;
    const size_t columns = (s->width + s->padding[1] + s->padding[3]) / s->stride[1] + 1;
    return s->batch * rows * columns * s->kernel[0] * s->kernel[1] * s->in_channels / s->groups *
           s->out_channels;
}

conv_spec conv_spec_random(const conv_kind *kind, uint64_t seed) {
    rng r = rng_named(seed, kind->name);
    conv_spec s;
    do
        s = kind->algorithm >= NM_ALGORITHM_WINOGRAD ? random_winograd(&r, kind->algorithm)
                                                     : random_direct(&r);
    while (most_macs(&s) > RANDOM_MACS);
    s.input_fill = rng_next(&r) % 4 == 0 ? (fill)rng_between(&r, FILL_MIN, FILL_ENDS) : FILL_RANDOM;
    s.weight_fill =
        rng_next(&r) % 4 == 0 ? (fill)rng_between(&r, FILL_MIN, FILL_ENDS) : FILL_RANDOM;
    return s;
}
