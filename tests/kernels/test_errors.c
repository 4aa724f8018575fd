/** What cannot be is refused with a message that names it; nothing crashes, nothing leaks a plan.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "narrowmac.h"
#include "tap.h"

static int8_t weights[64 * 64];
static const float scales[64] = {1}, group_scales[64] = {1};
static const float nan_scales[64] = {NAN}, infinite_scales[64] = {INFINITY};
static const int32_t multipliers[64] = {1 << 30}, shifts[64] = {0};
static const int32_t negative_multipliers[64] = {-1}, low_shifts[64] = {-32},
                     high_shifts[64] = {31};

/** A w8a8 3x3 of 8 -> 4 channels that is right in every way. */
static nm_conv_desc valid_int(void) {
    nm_conv_desc d;
    nm_conv_desc_init(&d);
    d.precision = NM_W8A8;
    d.in_height = d.in_width = 6;
    d.in_channels = 8;
    d.out_channels = 4;
    d.kernel_height = d.kernel_width = 3;
    d.input_type = NM_UINT8;
    d.output_type = NM_UINT8;
    d.scale_count = 4;
    d.multiplier = multipliers;
    d.shift = shifts;
    d.scale = scales;
    return d;
}

static nm_conv_desc valid_f32(void) {
    nm_conv_desc d = valid_int();
    d.precision = NM_F32;
    d.input_type = d.output_type = NM_FLOAT32;
    d.scale_count = 0;
    return d;
}

static nm_conv_desc valid_int4(void) {
    nm_conv_desc d = valid_int();
    d.precision = NM_W4A4;
    d.input_type = NM_UINT4;
    return d;
}

static nm_conv_desc valid_grouped(void) {
    nm_conv_desc d = valid_int4();
    d.rounding = NM_ROUNDING_FLOAT;
    d.group_size = 32;
    d.group_scale = group_scales;
    return d;
}

/* Each spoils one thing of a valid description. */
#define SPOIL(name, base, ...)                                                                     \
    static nm_conv_desc name(void) {                                                               \
        nm_conv_desc d = base();                                                                   \
        __VA_ARGS__;                                                                               \
        return d;                                                                                  \
    }
SPOIL(bad_precision, valid_int, d.precision = NM_PRECISION_COUNT)
SPOIL(no_batch, valid_int, d.batch = 0)
SPOIL(no_height, valid_int, d.in_height = 0)
SPOIL(no_width, valid_int, d.in_width = 0)
SPOIL(no_in_channels, valid_int, d.in_channels = 0)
SPOIL(no_out_channels, valid_int, d.out_channels = 0)
SPOIL(no_kernel_height, valid_int, d.kernel_height = 0)
SPOIL(no_kernel_width, valid_int, d.kernel_width = 0)
SPOIL(no_stride, valid_int, d.stride[1] = 0)
SPOIL(no_dilation, valid_int, d.dilation[0] = 0)
SPOIL(no_groups, valid_int, d.groups = 0)
SPOIL(groups_of_in, valid_int, d.groups = 3; d.out_channels = 3; d.scale_count = 1)
SPOIL(groups_of_out, valid_int, d.groups = 8)
SPOIL(large_kernel, valid_int, d.kernel_height = 7)
SPOIL(large_dilation, valid_int, d.dilation[1] = 3)
SPOIL(huge_dilation, valid_int, d.dilation[0] = SIZE_MAX)
SPOIL(huge_kernel, valid_int, d.kernel_width = SIZE_MAX; d.padding[1] = SIZE_MAX)
SPOIL(huge_padding, valid_int, d.padding[0] = SIZE_MAX; d.padding[2] = SIZE_MAX)
SPOIL(huge_input, valid_int, d.in_height = d.in_width = SIZE_MAX / 2)
SPOIL(huge_batch, valid_int, d.batch = SIZE_MAX)
SPOIL(huge_out_channels, valid_int, d.out_channels = SIZE_MAX; d.scale_count = 1)
SPOIL(huge_in_channels, valid_int, d.in_channels = SIZE_MAX / 2)
SPOIL(f32_from_int8, valid_f32, d.input_type = NM_INT8)
SPOIL(f32_to_int8, valid_f32, d.output_type = NM_INT8)
SPOIL(int_from_f32, valid_int, d.input_type = NM_FLOAT32)
SPOIL(int_from_int4, valid_int, d.input_type = NM_INT4)
SPOIL(int_from_int32, valid_int, d.input_type = NM_INT32)
SPOIL(int4_from_int8, valid_int4, d.input_type = NM_INT8)
SPOIL(int4_to_int4, valid_int4, d.output_type = NM_INT4)
SPOIL(bad_input_type, valid_int, d.input_type = (nm_dtype)77)
SPOIL(bad_output_type, valid_int, d.output_type = (nm_dtype)77)
SPOIL(input_zero_low, valid_int, d.input_zero_point = -1)
SPOIL(input_zero_high, valid_int, d.input_zero_point = 256)
SPOIL(input_zero_int4, valid_int4, d.input_zero_point = 16)
SPOIL(weight_zero_high, valid_int, d.weight_zero_point = 128)
SPOIL(weight_zero_int4, valid_int4, d.weight_zero_point = -9)
SPOIL(output_zero_low, valid_int, d.output_zero_point = -1)
SPOIL(output_zero_high, valid_int, d.output_zero_point = 256)
SPOIL(output_zero_int32, valid_int, d.output_type = NM_INT32; d.output_zero_point = 1)
SPOIL(bad_rounding, valid_int, d.rounding = (nm_rounding)9)
SPOIL(scale_count_0, valid_int, d.scale_count = 0)
SPOIL(scale_count_3, valid_int, d.scale_count = 3)
SPOIL(no_multiplier, valid_int, d.multiplier = NULL)
SPOIL(no_shift, valid_int, d.shift = NULL)
SPOIL(no_scale, valid_int, d.rounding = NM_ROUNDING_FLOAT; d.scale = NULL)
SPOIL(no_float_scale, valid_int, d.output_type = NM_FLOAT32; d.scale = NULL)
SPOIL(negative_multiplier, valid_int, d.multiplier = negative_multipliers)
SPOIL(low_shift, valid_int, d.shift = low_shifts)
SPOIL(high_shift, valid_int, d.shift = high_shifts)
SPOIL(nan_scale, valid_int, d.rounding = NM_ROUNDING_FLOAT; d.scale = nan_scales)
SPOIL(infinite_scale, valid_int, d.output_type = NM_FLOAT32; d.scale = infinite_scales)
SPOIL(group_size_16, valid_grouped, d.group_size = 16)
SPOIL(group_w8a8, valid_grouped, d.precision = NM_W8A8; d.input_type = NM_UINT8)
SPOIL(group_tflite, valid_grouped, d.rounding = NM_ROUNDING_TFLITE)
SPOIL(group_int32, valid_grouped, d.output_type = NM_INT32)
SPOIL(group_weight_zero, valid_grouped, d.weight_zero_point = 1)
SPOIL(no_group_scale, valid_grouped, d.group_scale = NULL)
SPOIL(nan_group_scale, valid_grouped, d.group_scale = nan_scales)
SPOIL(clamp_reversed, valid_int, d.clamp_min = 5; d.clamp_max = 4)
SPOIL(clamp_nan, valid_f32, d.clamp_min = NAN)
SPOIL(bad_isa, valid_int, d.isa = NM_ISA_COUNT)
SPOIL(bad_algorithm, valid_int, d.algorithm = NM_ALGORITHM_COUNT)

/** The message must hold the word. */
static const struct {
    const char *name;
    nm_conv_desc (*make)(void);
    const char *word;
} invalid[] = {
    {"precision out of range", bad_precision, "precision"},
    {"batch 0", no_batch, "batch"},
    {"height 0", no_height, "in_height"},
    {"width 0", no_width, "in_width"},
    {"input channels 0", no_in_channels, "in_channels"},
    {"output channels 0", no_out_channels, "out_channels"},
    {"kernel height 0", no_kernel_height, "kernel_height"},
    {"kernel width 0", no_kernel_width, "kernel_width"},
    {"stride 0", no_stride, "stride"},
    {"dilation 0", no_dilation, "dilation"},
    {"groups 0", no_groups, "groups"},
    {"input channels not divisible", groups_of_in, "groups"},
    {"output channels not divisible", groups_of_out, "groups"},
    {"kernel larger than the input", large_kernel, "kernel"},
    {"dilated kernel larger than the input", large_dilation, "kernel"},
    {"dilation overflows", huge_dilation, ""},
    {"kernel overflows", huge_kernel, ""},
    {"padding overflows", huge_padding, ""},
    {"input overflows", huge_input, ""},
    {"batch overflows", huge_batch, ""},
    {"output channels overflow", huge_out_channels, ""},
    {"input channels overflow", huge_in_channels, ""},
    {"f32 with int8 input", f32_from_int8, "input"},
    {"f32 with int8 output", f32_to_int8, "output"},
    {"w8a8 with float input", int_from_f32, "input"},
    {"w8a8 with int4 input", int_from_int4, "input"},
    {"w8a8 with int32 input", int_from_int32, "input"},
    {"w4a4 with int8 input", int4_from_int8, "input"},
    {"w4a4 with int4 output", int4_to_int4, "output"},
    {"unknown input type", bad_input_type, "input"},
    {"unknown output type", bad_output_type, "output"},
    {"input zero point -1 of uint8", input_zero_low, "input_zero_point"},
    {"input zero point 256 of uint8", input_zero_high, "input_zero_point"},
    {"input zero point 16 of uint4", input_zero_int4, "input_zero_point"},
    {"weight zero point 128 of int8", weight_zero_high, "weight_zero_point"},
    {"weight zero point -9 of int4", weight_zero_int4, "weight_zero_point"},
    {"output zero point -1 of uint8", output_zero_low, "output_zero_point"},
    {"output zero point 256 of uint8", output_zero_high, "output_zero_point"},
    {"output zero point of int32", output_zero_int32, "output_zero_point"},
    {"unknown rounding", bad_rounding, "rounding"},
    {"no scales", scale_count_0, "scale_count"},
    {"3 scales for 4 channels", scale_count_3, "scale_count"},
    {"multiplier missing", no_multiplier, "multiplier"},
    {"shift missing", no_shift, "shift"},
    {"scale missing for float rounding", no_scale, "scale"},
    {"scale missing for float output", no_float_scale, "scale"},
    {"negative multiplier", negative_multiplier, "multiplier"},
    {"shift -32", low_shift, "shift"},
    {"shift 31", high_shift, "shift"},
    {"NaN scale", nan_scale, "scale"},
    {"infinite scale", infinite_scale, "scale"},
    {"group size 16", group_size_16, "group_size"},
    {"groups of scales for w8a8", group_w8a8, "group_size"},
    {"groups of scales with tflite rounding", group_tflite, "group_size"},
    {"groups of scales with int32 output", group_int32, "group_size"},
    {"groups of scales with a weight zero point", group_weight_zero, "weight_zero_point"},
    {"group scales missing", no_group_scale, "group_scale"},
    {"NaN group scale", nan_group_scale, "group_scale"},
    {"clamp reversed", clamp_reversed, "clamp"},
    {"clamp NaN", clamp_nan, "clamp"},
    {"unknown ISA", bad_isa, "isa"},
    {"unknown algorithm", bad_algorithm, "algorithm"},
};

/** One line "what: why; remedy". */
static bool well_formed(const char *message) {
    const char *why = strstr(message, ": ");
    return why != NULL && why != message && strstr(why, "; ") != NULL &&
           strchr(message, '\n') == NULL;
}

static void test_valid(void) {
    nm_conv_desc (*const makers[])(void) = {valid_int, valid_f32, valid_int4, valid_grouped};
    static const char *const names[] = {"w8a8", "f32", "w4a4", "group32"};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        const nm_conv_desc d = makers[i]();
        nm_conv *conv = NULL;
        nm_error error = {""};
        const nm_status status = nm_conv_create(&d, weights, NULL, &conv, &error);
        if (!tap_ok(status == NM_OK && conv != NULL, "the unspoilt %s is valid", names[i]))
            tap_diag("%s", error.message);
        nm_conv_destroy(conv);
    }
}

static void test_invalid(void) {
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        const nm_conv_desc d = invalid[i].make();
        tap_running("%s", invalid[i].name);
        nm_conv *conv = (nm_conv *)(void *)weights; /* anything but NULL */
        nm_error error = {""};
        const nm_status status = nm_conv_create(&d, weights, NULL, &conv, &error);
        const bool right = status == NM_INVALID_ARGUMENT && conv == NULL &&
                           strstr(error.message, invalid[i].word) != NULL &&
                           well_formed(error.message);
        if (!tap_ok(right, "%s is refused", invalid[i].name))
            tap_diag("status %d, \"%s\" should name \"%s\"", (int)status, error.message,
                     invalid[i].word);
        conv = NULL;
        tap_ok(nm_conv_create(&d, weights, NULL, &conv, NULL) == NM_INVALID_ARGUMENT,
               "%s is refused without an nm_error", invalid[i].name);
    }
}

static void test_pointers(void) {
    const nm_conv_desc d = valid_int();
    nm_conv *conv = NULL;
    nm_error error = {""};
    tap_ok(nm_conv_create(&d, NULL, NULL, &conv, &error) == NM_INVALID_ARGUMENT &&
               strstr(error.message, "weights") != NULL && conv == NULL,
           "weights NULL is refused");
    nm_conv_destroy(NULL);
    tap_ok(true, "nm_conv_destroy(NULL) does nothing");
}

static void test_unavailable(void) {
    for (int isa = NM_ISA_SCALAR; isa < NM_ISA_COUNT; isa++) {
        if (nm_isa_available((nm_isa)isa))
            continue;
        nm_conv_desc d = valid_int();
        d.isa = (nm_isa)isa;
        nm_conv *conv = NULL;
        nm_error error = {""};
        const nm_status status = nm_conv_create(&d, weights, NULL, &conv, &error);
        const char *name = nm_isa_name((nm_isa)isa);
        if (!tap_ok(status == NM_UNSUPPORTED && conv == NULL &&
                        strstr(error.message, name) != NULL && well_formed(error.message),
                    "%s, which this CPU or build lacks, is unsupported", name))
            tap_diag("status %d, %s", (int)status, error.message);
        tap_ok(nm_peak_run((nm_isa)isa, NM_W8A8, 1) == 0, "nm_peak_run of %s does nothing", name);
    }
}

/** A layer that the algorithm asked for by name does not exist for. */
static void test_no_such_algorithm(void) {
    nm_conv_desc f32 = valid_f32(), strided = valid_int4();
    f32.algorithm = strided.algorithm = NM_ALGORITHM_WINOGRAD;
    strided.stride[0] = 2;
    const nm_conv_desc *const cases[2] = {&f32, &strided};
    for (size_t i = 0; i < 2; i++) {
        nm_conv *conv = NULL;
        nm_error error = {""};
        const nm_status status = nm_conv_create(cases[i], weights, NULL, &conv, &error);
        if (!tap_ok(status == NM_UNSUPPORTED && conv == NULL &&
                        strstr(error.message, "winograd") != NULL && well_formed(error.message),
                    "winograd %s is unsupported", i == 0 ? "for f32" : "with stride 2"))
            tap_diag("status %d, %s", (int)status, error.message);
    }
}

/** A bias so large that Winograd's sums would not fit: auto does without it. */
static void test_bias_beyond_winograd(void) {
    static const nm_algorithm algorithms[] = {NM_ALGORITHM_WINOGRAD, NM_ALGORITHM_WINOGRAD4};
    static const int32_t bias[64] = {INT32_MAX};
    nm_conv_desc d = valid_int();
    d.isa = NM_ISA_AVX2;
    if (!nm_isa_available(d.isa)) {
        tap_skip("no avx2 here", "biases beyond Winograd's sums");
        return;
    }
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        const char *name = nm_algorithm_name(algorithms[i]);
        nm_conv *conv = NULL;
        d.algorithm = algorithms[i];
        const bool without = nm_conv_create(&d, weights, NULL, &conv, NULL) == NM_OK;
        nm_conv_destroy(conv);
        conv = NULL;
        const nm_status status = nm_conv_create(&d, weights, bias, &conv, NULL);
        tap_ok(without && status == NM_UNSUPPORTED && conv == NULL,
               "%s with the largest bias is unsupported", name);
    }
    nm_conv *conv = NULL;
    d.algorithm = NM_ALGORITHM_AUTO;
    tap_ok(nm_conv_create(&d, weights, bias, &conv, NULL) == NM_OK, "auto takes the largest bias");
    nm_conv_destroy(conv);
}

static void test_output_size(void) {
    size_t height = 7, width = 7;
    nm_conv_desc d = valid_int();
    d.padding[0] = 1;
    d.stride[1] = 2;
    tap_ok(nm_conv_output_size(&d, &height, &width, NULL) == NM_OK && height == 5 && width == 2,
           "nm_conv_output_size: 6x6 padded by a row on top, 3x3, strides 1 and 2, is 5x2");
    static nm_conv_desc (*const bad[])(void) = {no_height,     no_stride,    large_kernel,
                                                huge_dilation, huge_padding, huge_kernel};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        d = bad[i]();
        nm_error error = {""};
        tap_ok(nm_conv_output_size(&d, &height, &width, &error) == NM_INVALID_ARGUMENT &&
                   well_formed(error.message),
               "nm_conv_output_size refuses, too (%zu)", i);
    }
}

/**
 * A plan for 2^22 x 2^22 3x3 filters needs more than any machine has: the shape is valid, the
 * memory is not to be had. The weights are never read, since nothing can be packed.
 */
static void test_out_of_memory(void) {
    nm_conv_desc d = valid_f32();
    d.in_channels = d.out_channels = (size_t)1 << 22;
    nm_conv *conv = NULL;
    nm_error error = {""};
    const nm_status status = nm_conv_create(&d, weights, NULL, &conv, &error);
    if (!tap_ok(status == NM_OUT_OF_MEMORY && conv == NULL && well_formed(error.message),
                "a plan of 576 TiB is out of memory"))
        tap_diag("status %d, %s", (int)status, error.message);
}

static void test_names(void) {
    bool named = true;
    for (int i = 0; i < NM_PRECISION_COUNT; i++)
        named &= nm_precision_name((nm_precision)i) != NULL;
    for (int i = 0; i < NM_ISA_COUNT; i++)
        named &= nm_isa_name((nm_isa)i) != NULL;
    for (int i = 0; i < NM_ALGORITHM_COUNT; i++)
        named &= nm_algorithm_name((nm_algorithm)i) != NULL;
    tap_ok(named, "every enumerator has a name");
    tap_ok(nm_precision_name(NM_PRECISION_COUNT) == NULL &&
               nm_precision_name((nm_precision)-1) == NULL && nm_isa_name(NM_ISA_COUNT) == NULL &&
               nm_algorithm_name(NM_ALGORITHM_COUNT) == NULL,
           "no name beyond the last");
    tap_ok(strcmp(nm_precision_name(NM_W4A8), "w4a8") == 0 &&
               strcmp(nm_isa_name(NM_ISA_AVX512VNNI), "avx512vnni") == 0 &&
               strcmp(nm_algorithm_name(NM_ALGORITHM_WINOGRAD4), "winograd4") == 0,
           "names are the documented ones");
    tap_ok(nm_isa_available(NM_ISA_SCALAR) && nm_isa_available(nm_isa_best()),
           "the reference and the best tier are available");
}

int main(void) {
    tap_catch_crashes();
    test_names();
    test_valid();
    test_invalid();
    test_pointers();
    test_unavailable();
    test_no_such_algorithm();
    test_bias_beyond_winograd();
    test_output_size();
    test_out_of_memory();
    return tap_done();
}
