/** Plans: checks what was asked for, chooses who does it, and hands the work over. */
#include "conv.h"
#include "error.h"
#include "stage.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

/* ---- Names -------------------------------------------------------------------------------- */

const char *nm_version(void) { return NM_VERSION; }

const char *nm_precision_name(nm_precision precision) {
    static const char *const name[NM_PRECISION_COUNT] = {"f32", "w8a8", "w4a8", "w4a4"};
    return (unsigned)precision < NM_PRECISION_COUNT ? name[precision] : NULL;
}

const char *nm_isa_name(nm_isa isa) {
    static const char *const name[NM_ISA_COUNT] = {"auto",       "scalar", "avx2",   "avxvnni",
                                                   "avx512vnni", "neon",   "neondot"};
    return (unsigned)isa < NM_ISA_COUNT ? name[isa] : NULL;
}

const char *nm_algorithm_name(nm_algorithm algorithm) {
    static const char *const name[NM_ALGORITHM_COUNT] = {"auto", "direct", "winograd", "winograd4"};
    return (unsigned)algorithm < NM_ALGORITHM_COUNT ? name[algorithm] : NULL;
}

static const char *dtype_name(nm_dtype type) {
    static const char *const name[] = {"float32", "int32", "int8", "uint8", "int4", "uint4"};
    return (unsigned)type < sizeof name / sizeof *name ? name[type] : "unknown";
}

/* ---- Helpers shared by the families --------------------------------------------------------- */

void *nm_alloc_unset(size_t bytes) {
    /* Large weights go to huge pages where the system has them: fewer faults while packing, fewer
     * TLB misses while streaming. */
    const size_t huge = 2 << 20, alignment = bytes >= huge / 2 ? huge : 64;
    if (bytes > SIZE_MAX - alignment)
        return NULL;
    const size_t rounded = nm_round_up(bytes + !bytes, alignment);
    void *p = aligned_alloc(alignment, rounded);
#if defined(MADV_HUGEPAGE)
    if (p && alignment == huge)
        (void)madvise(p, rounded, MADV_HUGEPAGE); /* advice: nothing is lost where it fails */
#endif
    return p;
}

void *nm_alloc(size_t bytes) {
    void *const p = nm_alloc_unset(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

size_t nm_tensor_bytes(nm_dtype type, size_t n) {
    switch (type) {
    case NM_FLOAT32:
    case NM_INT32:
        return n * 4;
    case NM_INT4:
    case NM_UINT4:
        return nm_ceil_div(n, 2);
    default:
        return n;
    }
}

void nm_compress_int4(const void *values, size_t count, size_t block, void *packed) {
    const uint8_t *from = values;
    uint8_t *restrict to = packed;
    for (size_t i = 0; i < count; i += 2 * block, from += 2 * block, to += block)
        for (size_t j = 0; j < block; ++j)
            to[j] = (uint8_t)((from[j] & 15) | from[block + j] << 4);
}

void nm_spread_rows(const char *rows, size_t row_bytes, size_t count, size_t bytes, size_t chunk,
                    size_t width, char *out) {
    for (size_t done = 0; done < bytes; done += chunk, rows += chunk, out += width) {
        const size_t rest = bytes - done;
        if (chunk == 4 && rest >= 4) /* the usual case, a single move */
            for (size_t i = 0; i < count; ++i)
                memcpy(out + i * 4, rows + i * row_bytes, 4);
        else
            for (size_t i = 0; i < count; ++i)
                memcpy(out + i * chunk, rows + i * row_bytes, rest < chunk ? rest : chunk);
    }
}

int32_t nm_sum(const int8_t *weights, size_t count) {
    /* in 16 bits as long as they hold it: the compiler adds twice as many at a time */
    enum { MOST = 256 };
    int32_t sum = 0;
    for (size_t i = 0; i < count; i += MOST) {
        const size_t end = count - i < MOST ? count : i + MOST;
        int16_t part = 0;
        for (size_t k = i; k < end; ++k)
            part = (int16_t)(part + weights[k]);
        sum += part;
    }
    return sum;
}

size_t nm_widest_tile(const nm_tier *tier) {
    size_t nr = NM_MAX_NR;
    while (!tier->mr[nr])
        --nr;
    return nr;
}

unsigned nm_useful_threads(const nm_conv *conv, unsigned threads) {
    /* Below about three microseconds' work a thread costs more than it saves. Floats take three
     * times as long as bytes at least, and so do depthwise MACs. */
    enum { MACS_PER_THREAD = 1100000 };
    const unsigned slow = (conv->desc.precision == NM_F32 ? 3 : 1) * (conv->group_in == 1 ? 3 : 1);
    const uint64_t useful = conv->info.macs / conv->rounds * slow / MACS_PER_THREAD;
    return useful < 1 ? 1 : useful < threads ? (unsigned)useful : threads;
}

/* ---- Checks --------------------------------------------------------------------------------- */

#define INVALID(...) NM_INVALID(error, __VA_ARGS__)

/** a * b into *product, false on overflow of what can be addressed. */
static bool multiply(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product) && *product <= PTRDIFF_MAX;
}

/** Output extent along one axis. */
static nm_status extent(const char *axis, size_t in, size_t before, size_t after, size_t kernel,
                        size_t dilation, size_t stride, size_t *out, nm_error *error) {
    size_t padded, reach;
    if (__builtin_add_overflow(in, before, &padded) ||
        __builtin_add_overflow(padded, after, &padded) || padded > PTRDIFF_MAX)
        return INVALID("padding: the padded input's %s overflows; use a smaller padding", axis);
    if (!multiply(kernel - 1, dilation, &reach) || reach >= padded)
        return INVALID("kernel %s: %zu with dilation %zu exceeds the padded input's %zu; use a "
                       "smaller kernel or more padding",
                       axis, kernel, dilation, padded);
    *out = (padded - reach - 1) / stride + 1;
    return NM_OK;
}

nm_status nm_conv_output_size(const nm_conv_desc *d, size_t *out_height, size_t *out_width,
                              nm_error *error) {
    const struct {
        const char *name;
        size_t value;
    } sizes[] = {
        {"batch", d->batch},
        {"in_height", d->in_height},
        {"in_width", d->in_width},
        {"in_channels", d->in_channels},
        {"out_channels", d->out_channels},
        {"kernel_height", d->kernel_height},
        {"kernel_width", d->kernel_width},
        {"stride", d->stride[0]},
        {"stride", d->stride[1]},
        {"dilation", d->dilation[0]},
        {"dilation", d->dilation[1]},
        {"groups", d->groups},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        if (sizes[i].value < 1)
            return INVALID("%s: 0 is no size; give 1 or more", sizes[i].name);
    if (d->in_channels % d->groups || d->out_channels % d->groups)
        return INVALID("groups: %zu does not divide %zu input and %zu output channels; use a "
                       "common divisor",
                       d->groups, d->in_channels, d->out_channels);
    nm_status status = extent("height", d->in_height, d->padding[0], d->padding[2],
                              d->kernel_height, d->dilation[0], d->stride[0], out_height, error);
    if (status == NM_OK)
        status = extent("width", d->in_width, d->padding[1], d->padding[3], d->kernel_width,
                        d->dilation[1], d->stride[1], out_width, error);
    if (status != NM_OK)
        return status;

    /* Every tensor, staged ones included, must be addressable with 4 bytes an element. */
    const size_t products[][4] = {
        {d->batch, d->in_height + d->padding[0] + d->padding[2],
         d->in_width + d->padding[1] + d->padding[3], d->in_channels},
        {d->batch, *out_height, *out_width, d->out_channels},
        {d->out_channels + NM_CHANNEL_SLACK, d->kernel_height, d->kernel_width,
         d->in_channels / d->groups + NM_CHANNEL_SLACK},
    };
    static const char *const tensor[] = {"input", "output", "weights"};
    for (size_t i = 0; i < sizeof products / sizeof *products; ++i) {
        size_t n = 8; /* bytes, with room for alignment */
        for (size_t j = 0; j < 4; ++j)
            if (!multiply(n, products[i][j], &n))
                return INVALID("%s: the product of its sizes overflows; use smaller sizes",
                               tensor[i]);
    }
    size_t macs;
    if (!multiply(*out_height * *out_width * d->batch, d->out_channels, &macs) ||
        !multiply(macs, d->kernel_height * d->kernel_width * (d->in_channels / d->groups), &macs))
        return INVALID("output: the number of multiply-accumulates overflows; use smaller sizes");
    return NM_OK;
}

/** Values that a quantized type can hold; false for float32 and int32. */
static bool range_of(nm_dtype type, int32_t *min, int32_t *max) {
    switch (type) {
    case NM_INT8:
        *min = -128, *max = 127;
        return true;
    case NM_UINT8:
        *min = 0, *max = 255;
        return true;
    case NM_INT4:
        *min = -8, *max = 7;
        return true;
    case NM_UINT4:
        *min = 0, *max = 15;
        return true;
    default:
        *min = *max = 0;
        return false;
    }
}

static nm_status check_zero_point(const char *name, int32_t value, int32_t min, int32_t max,
                                  nm_error *error) {
    if (value < min || value > max)
        return INVALID("%s: %d is outside %d..%d; give a value that the type can hold", name, value,
                       min, max);
    return NM_OK;
}

static nm_status check_types(const nm_conv_desc *d, nm_error *error) {
    static const nm_dtype inputs[NM_PRECISION_COUNT][2] = {
        [NM_F32] = {NM_FLOAT32, NM_FLOAT32},
        [NM_W8A8] = {NM_INT8, NM_UINT8},
        [NM_W4A8] = {NM_INT8, NM_UINT8},
        [NM_W4A4] = {NM_INT4, NM_UINT4},
    };
    if ((unsigned)d->precision >= NM_PRECISION_COUNT)
        return INVALID("precision: %d is none; use f32, w8a8, w4a8 or w4a4", (int)d->precision);
    if (d->input_type != inputs[d->precision][0] && d->input_type != inputs[d->precision][1])
        return INVALID("input_type: %s takes no %s; use %s%s%s", nm_precision_name(d->precision),
                       dtype_name(d->input_type), dtype_name(inputs[d->precision][0]),
                       d->precision == NM_F32 ? "" : " or ",
                       d->precision == NM_F32 ? "" : dtype_name(inputs[d->precision][1]));
    const bool is_float = d->precision == NM_F32;
    if (is_float ? d->output_type != NM_FLOAT32
                 : d->output_type != NM_INT32 && d->output_type != NM_INT8 &&
                       d->output_type != NM_UINT8 && d->output_type != NM_FLOAT32)
        return INVALID("output_type: %s gives no %s; use %s", nm_precision_name(d->precision),
                       dtype_name(d->output_type),
                       is_float ? "float32" : "int32, int8, uint8 or float32");
    int32_t min, max;
    range_of(d->input_type, &min, &max);
    nm_status status = check_zero_point("input_zero_point", d->input_zero_point, min, max, error);
    if (status == NM_OK) {
        range_of(is_float ? NM_FLOAT32 : d->precision == NM_W8A8 ? NM_INT8 : NM_INT4, &min, &max);
        status = check_zero_point("weight_zero_point", d->weight_zero_point, min, max, error);
    }
    if (status == NM_OK) {
        range_of(d->output_type, &min, &max);
        status = check_zero_point("output_zero_point", d->output_zero_point, min, max, error);
    }
    return status;
}

static bool is_byte(nm_dtype type) { return type == NM_INT8 || type == NM_UINT8; }

static bool needs_scale(const nm_conv_desc *d) {
    return d->precision != NM_F32 &&
           (d->output_type == NM_FLOAT32 ||
            (is_byte(d->output_type) && d->rounding == NM_ROUNDING_FLOAT));
}

static bool needs_multiplier(const nm_conv_desc *d) {
    return is_byte(d->output_type) && d->rounding == NM_ROUNDING_TFLITE;
}

static nm_status check_scales(const nm_conv_desc *d, size_t groups, nm_error *error) {
    if (is_byte(d->output_type) && d->rounding != NM_ROUNDING_TFLITE &&
        d->rounding != NM_ROUNDING_FLOAT)
        return INVALID("rounding: %d is none; use tflite or float", (int)d->rounding);
    const bool scale = needs_scale(d), multiplier = needs_multiplier(d);
    if ((scale || multiplier) && d->scale_count != 1 && d->scale_count != d->out_channels)
        return INVALID("scale_count: %zu scales for %zu output channels; give 1 or one a channel",
                       d->scale_count, d->out_channels);
    if (scale && !d->scale)
        return INVALID("scale: this output needs scales and none are given; set scale");
    if (multiplier && (!d->multiplier || !d->shift))
        return INVALID("multiplier: tflite rounding needs multiplier and shift; set both");
    for (size_t i = 0; scale && i < d->scale_count; ++i)
        if (!isfinite(d->scale[i]))
            return INVALID("scale: element %zu is not finite; give finite scales", i);
    for (size_t i = 0; multiplier && i < d->scale_count; ++i) {
        if (d->multiplier[i] < 0)
            return INVALID("multiplier: element %zu is %d; give 0 or more", i, d->multiplier[i]);
        if (d->shift[i] < -31 || d->shift[i] > 30)
            return INVALID("shift: element %zu is %d; give -31..30", i, d->shift[i]);
    }
    if (!d->group_size)
        return NM_OK;
    if (d->group_size != 32)
        return INVALID("group_size: %zu is not offered; use 0 or 32", d->group_size);
    if (d->precision != NM_W4A8 && d->precision != NM_W4A4)
        return INVALID("group_size: %s has no grouped scales; use w4a8 or w4a4",
                       nm_precision_name(d->precision));
    if (!scale)
        return INVALID("group_size: grouped scales need float rounding or float output; set "
                       "rounding to float or output_type to float32");
    if (d->weight_zero_point)
        return INVALID("weight_zero_point: %d with grouped scales, which are symmetric; use 0",
                       d->weight_zero_point);
    if (!d->group_scale)
        return INVALID("group_scale: missing; give out_channels x %zu scales", groups);
    for (size_t i = 0; i < d->out_channels * groups; ++i)
        if (!isfinite(d->group_scale[i]))
            return INVALID("group_scale: element %zu is not finite; give finite scales", i);
    return NM_OK;
}

static nm_status check_choice(const nm_conv_desc *d, nm_error *error) {
    if (isnan(d->clamp_min) || isnan(d->clamp_max) || d->clamp_min > d->clamp_max)
        return INVALID("clamp: %g..%g is no range; give minimum <= maximum", d->clamp_min,
                       d->clamp_max);
    if ((unsigned)d->algorithm >= NM_ALGORITHM_COUNT)
        return INVALID("algorithm: %d is none; use auto, direct, winograd or winograd4",
                       (int)d->algorithm);
    if ((unsigned)d->isa >= NM_ISA_COUNT)
        return INVALID("isa: %d is none; use auto or a tier's name", (int)d->isa);
    if (!nm_isa_available(d->isa))
        return NM_FAIL(error, NM_UNSUPPORTED,
                       "isa: this CPU or build has no %s; use auto, scalar or %s",
                       nm_isa_name(d->isa), nm_isa_name(nm_isa_best()));
    return NM_OK;
}

/* ---- Plans ---------------------------------------------------------------------------------- */

void nm_conv_desc_init(nm_conv_desc *desc) {
    *desc = (nm_conv_desc){
        .batch = 1,
        .stride = {1, 1},
        .dilation = {1, 1},
        .groups = 1,
        .clamp_min = -INFINITY,
        .clamp_max = INFINITY,
    };
}

static int32_t clamped(double x, int32_t min, int32_t max) {
    return x <= min ? min : x >= max ? max : (int32_t)x;
}

/** Per-channel arrays of out_channels values and slack, from 1 or out_channels values. */
static nm_status make_epilogue(nm_conv *conv, const nm_conv_desc *d) {
    nm_epilogue *e = &conv->epilogue;
    *e = (nm_epilogue){.type = d->output_type,
                       .rounding = d->rounding,
                       .zero_point = d->output_zero_point,
                       .min_f32 = (float)d->clamp_min,
                       .max_f32 = (float)d->clamp_max};
    int32_t min = INT32_MIN, max = INT32_MAX;
    range_of(d->output_type, &min, &max);
    if (d->output_type == NM_INT32)
        min = INT32_MIN, max = INT32_MAX;
    e->min = clamped(ceil(d->clamp_min), min, max);
    e->max = clamped(floor(d->clamp_max), min, max);
    if (is_byte(d->output_type)) {
        e->min_f32 = (float)(e->min - e->zero_point);
        e->max_f32 = (float)(e->max - e->zero_point);
        const int flip = d->output_type == NM_INT8 ? 128 : 0;
        e->pack_zero = (int16_t)(e->zero_point + flip);
        e->pack_min = (uint8_t)(e->min + flip);
        e->pack_max = (uint8_t)(e->max + flip);
        e->pack_flip = (uint8_t)flip;
        e->pack_plain = e->pack_min == 0 && e->pack_max == 255 && flip == 0;
    }
    const size_t n = d->out_channels;
    const size_t bytes = (n + NM_CHANNEL_SLACK) * 4;
    if (needs_scale(d)) {
        float *scale = nm_alloc(bytes);
        if (!scale)
            return NM_OUT_OF_MEMORY;
        e->scale = scale;
        e->narrow = is_byte(d->output_type);
        for (size_t o = 0; o < n; ++o) {
            scale[o] = d->scale[d->scale_count == 1 ? 0 : o];
            e->narrow &= fabsf(scale[o]) < 0.99f;
        }
        conv->info.weight_bytes += n * 4;
    }
    if (needs_multiplier(d)) {
        int32_t *multiplier = nm_alloc(bytes), *left = nm_alloc(bytes), *right = nm_alloc(bytes);
        e->multiplier = multiplier, e->shift_left = left, e->shift_right = right;
        if (!multiplier || !left || !right)
            return NM_OUT_OF_MEMORY;
        for (size_t o = 0; o < n; ++o) {
            const size_t i = d->scale_count == 1 ? 0 : o;
            multiplier[o] = d->multiplier[i];
            left[o] = d->shift[i] > 0 ? d->shift[i] : 0;
            right[o] = d->shift[i] > 0 ? 0 : -d->shift[i];
        }
        conv->info.weight_bytes += n * 12;
    }
    return NM_OK;
}

uint64_t nm_largest_sum(const nm_conv *conv) {
    const uint64_t activation = conv->desc.precision == NM_W4A4 ? 15 : 255;
    return conv->reduction * activation * (nm_is_int4(conv) ? 8 : 128);
}

uint64_t nm_largest_bias(const nm_conv *conv, const int32_t *bias) {
    uint64_t largest = 0;
    for (size_t o = 0; bias && o < conv->desc.out_channels; ++o)
        if ((uint64_t)llabs(bias[o]) > largest)
            largest = (uint64_t)llabs(bias[o]);
    return largest;
}

bool nm_epilogue_offset(const nm_conv *conv, nm_epilogue *e, uint64_t largest) {
    e->offset = NULL;
    if (!e->narrow || e->pack_zero != 0 || conv->desc.weight_zero_point || largest >= 1 << 23)
        return true;
    const size_t n = conv->desc.out_channels;
    for (size_t o = 0; o < n; ++o)
        if (!(e->scale[o] >= 0))
            return true;
    float *const offset = nm_alloc((n + NM_CHANNEL_SLACK) * sizeof(float));
    if (!offset)
        return false;
    for (size_t o = 0; o < n; ++o)
        offset[o] = -0x1p23f * e->scale[o];
    e->offset = offset;
    return true;
}

/** Images of a round: as many as stay in the second-level cache with what is made of them. They
 * divide the batch and begin at whole bytes. */
static size_t images_of_a_round(const nm_conv_desc *d, size_t out_height, size_t out_width) {
    enum { CACHE_BYTES = 1024 * 1024 };
    const size_t input = d->in_height * d->in_width * d->in_channels;
    const size_t output = out_height * out_width * d->out_channels;
    const size_t image = input * (d->precision == NM_F32 ? sizeof(float) : 1) +
                         nm_tensor_bytes(d->output_type, output);
    const bool packed = nm_is_packed(d->input_type);
    const size_t most = CACHE_BYTES / image < d->batch ? CACHE_BYTES / image : d->batch;
    for (size_t n = most < 1 ? 1 : most; n > 0; --n)
        if (d->batch % n == 0 && (!packed || n * input % 2 == 0))
            return n;
    return d->batch % 2 == 0 ? 2 : d->batch;
}

/** Preferred first; the first that supports the plan carries it out. */
static const nm_family *const families[] = {
    &nm_family_reference, &nm_family_depthwise, &nm_family_winograd4,
    &nm_family_winograd,  &nm_family_direct,
};

static const nm_family *choose(const nm_conv *conv, const void *weights, const void *bias) {
    for (size_t i = 0; i < sizeof families / sizeof *families; ++i) {
        const nm_family *f = families[i];
        if ((conv->desc.algorithm == NM_ALGORITHM_AUTO || conv->desc.algorithm == f->algorithm) &&
            f->supports(conv, weights, bias))
            return f;
    }
    return NULL;
}

nm_status nm_conv_create(const nm_conv_desc *desc, const void *weights, const void *bias,
                         nm_conv **result, nm_error *error) {
    *result = NULL;
    size_t out_height, out_width;
    nm_status status = nm_conv_output_size(desc, &out_height, &out_width, error);
    if (status == NM_OK)
        status = check_types(desc, error);
    const size_t reduction = status == NM_OK ? desc->kernel_height * desc->kernel_width *
                                                   (desc->in_channels / desc->groups)
                                             : 0;
    if (status == NM_OK)
        status = check_scales(desc, nm_ceil_div(reduction, 32), error);
    if (status == NM_OK)
        status = check_choice(desc, error);
    if (status != NM_OK)
        return status;
    if (!weights)
        return INVALID("weights: missing; give an OHWI tensor");

    nm_conv *conv = nm_alloc(sizeof *conv);
    if (!conv)
        return NM_FAIL(error, NM_OUT_OF_MEMORY, "plan: out of memory; use a smaller layer");
    conv->desc = *desc;
    conv->tier = desc->isa == NM_ISA_SCALAR ? NULL : nm_tier_for(desc->isa, desc->precision);
    if (conv->tier) /* the reference knows no caches */
        conv->desc.batch = images_of_a_round(desc, out_height, out_width);
    conv->rounds = desc->batch / conv->desc.batch;
    conv->group_in = desc->in_channels / desc->groups;
    conv->group_out = desc->out_channels / desc->groups;
    conv->reduction = reduction;
    conv->info = (nm_conv_info){
        .isa = conv->tier ? conv->tier->isa : NM_ISA_SCALAR,
        .kernel = conv->kernel,
        .out_height = out_height,
        .out_width = out_width,
        .macs = (uint64_t)desc->batch * out_height * out_width * desc->out_channels * reduction,
    };
    conv->family = choose(conv, weights, bias);
    if (!conv->family) {
        status = NM_FAIL(error, NM_UNSUPPORTED,
                         "algorithm: %s cannot do this layer on %s; use auto or direct",
                         nm_algorithm_name(desc->algorithm), nm_isa_name(conv->info.isa));
    } else {
        conv->info.algorithm = conv->family->algorithm;
        status = make_epilogue(conv, desc);
        if (status == NM_OK)
            status = conv->family->create(conv, weights, bias);
        if (status == NM_OUT_OF_MEMORY)
            nm_explain(error, "weights: out of memory for packing %zu x %zu; use a smaller layer",
                       desc->out_channels, reduction);
    }
    if (status != NM_OK) {
        nm_conv_destroy(conv);
        return status;
    }
    conv->desc.multiplier = conv->desc.shift = NULL;
    conv->desc.scale = conv->desc.group_scale = NULL;
    *result = conv;
    return NM_OK;
}

void nm_conv_destroy(nm_conv *conv) {
    if (!conv)
        return;
    if (conv->family && conv->plan)
        conv->family->destroy(conv->plan);
    free((void *)conv->epilogue.scale);
    free((void *)conv->epilogue.offset);
    free((void *)conv->epilogue.multiplier);
    free((void *)conv->epilogue.shift_left);
    free((void *)conv->epilogue.shift_right);
    free(conv);
}

nm_conv_info nm_conv_get_info(const nm_conv *conv) { return conv->info; }

size_t nm_conv_workspace_size(const nm_conv *conv, unsigned threads) {
    return conv->family->workspace_size(conv, threads);
}

void nm_conv_run(const nm_conv *conv, const void *input, void *output, void *workspace,
                 unsigned threads) {
    const nm_conv_desc *d = &conv->desc;
    const size_t in = d->batch * d->in_height * d->in_width * d->in_channels;
    const size_t out = d->batch * conv->info.out_height * conv->info.out_width * d->out_channels;
    const size_t input_bytes = nm_tensor_bytes(d->input_type, in);
    const size_t output_bytes = nm_tensor_bytes(d->output_type, out);
    for (size_t round = 0; round < conv->rounds; ++round)
        conv->family->run(conv, (const char *)input + round * input_bytes,
                          (char *)output + round * output_bytes, workspace, threads);
}
