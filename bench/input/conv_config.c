#include "input/conv_config.h"
#include "base/file.h"
#include "base/json_input.h"

#include <math.h>
#include <stdlib.h>

const char conv_config_help[] =
    "The config file is a JSON object; every key but precision may be left out:\n"
    "  precision                f32, w8a8, w4a8 or w4a4\n"
    "  stride, dilation         [height, width], default [1, 1]\n"
    "  padding                  [top, left, bottom, right], default [0, 0, 0, 0]\n"
    "  groups                   default 1; weights hold in_channels / groups channels\n"
    "  input_zero_point, weight_zero_point, output_zero_point   default 0\n"
    "  requantize               8-bit output; without it the int32 accumulators (float32 with\n"
    "                           group_size). One of\n"
    "      {\"rounding\": \"tflite\", \"multiplier\": [..], \"shift\": [..]}\n"
    "                           factor = multiplier * 2^(shift - 31); one or out_channels of each\n"
    "      {\"rounding\": \"float\", \"scale\": [..]}\n"
    "  clamp                    [min, max] in output units; null for no bound\n"
    "  algorithm                auto, direct, winograd or winograd4\n"
    "  group_size, group_scale  int4 weights scaled in groups of 32 along the flattened height,\n"
    "                           width, channel reduction: 32 and [out_channels][groups of 32];\n"
    "                           bias is then float32, rounding float\n"
    "Arrays are .npy files: input NHWC float32, int8 or uint8 (w4a4: int8 -8..7 or uint8 0..15);\n"
    "weights OHWI float32 or int8 (int4: -8..7); bias int32 or float32, one for each channel.\n"
    "The 8-bit output is int8 or uint8 as the input is.\n";

static const char *const top_keys[] = {"precision",
                                       "stride",
                                       "padding",
                                       "dilation",
                                       "groups",
                                       "input_zero_point",
                                       "weight_zero_point",
                                       "output_zero_point",
                                       "requantize",
                                       "clamp",
                                       "algorithm",
                                       "group_size",
                                       "group_scale",
                                       NULL};
static const char *const tflite_keys[] = {"rounding", "multiplier", "shift", NULL};
static const char *const float_keys[] = {"rounding", "scale", NULL};
static const char *const roundings[] = {"tflite", "float", NULL};

static bool read_requantize(struct json_place top, const char *path, struct conv_config *config,
                            struct error *error) {
    const struct json_place place = {json_object_get(top.object, "requantize"), path};
    if (!place.object)
        return true;
    if (!json_is_object(place.object))
        return fail(error, "%srequantize: not an object; give {\"rounding\": ..}", top.path);
    config->requantize = true;
    nm_conv_desc *desc = &config->desc;
    size_t rounding = NM_ROUNDING_TFLITE;
    if (!json_get_choice(place, "rounding", roundings, &rounding, error))
        return false;
    desc->rounding = (nm_rounding)rounding;
    if (!json_check_keys(place, rounding == NM_ROUNDING_FLOAT ? float_keys : tflite_keys, error))
        return false;
    if (rounding == NM_ROUNDING_FLOAT) {
        if (!json_get_floats(place, "scale", &config->scale, &desc->scale_count, error))
            return false;
        return config->scale || fail(error, "%sscale: missing; give one or out_channels", path);
    }
    size_t shifts = 0;
    if (!json_get_int32s(place, "multiplier", 0, INT32_MAX, &config->multiplier, &desc->scale_count,
                         error) ||
        !json_get_int32s(place, "shift", -31, 30, &config->shift, &shifts, error))
        return false;
    if (!config->multiplier || !config->shift)
        return fail(error, "%s%s: missing; give one or out_channels", path,
                    config->multiplier ? "shift" : "multiplier");
    return shifts == desc->scale_count ||
           fail(error, "%sshift: length %zu, multiplier has %zu; give as many", path, shifts,
                desc->scale_count);
}

static bool read_clamp(struct json_place place, nm_conv_desc *desc, struct error *error) {
    const json_t *clamp = json_object_get(place.object, "clamp");
    if (!clamp)
        return true;
    double *const bounds[] = {&desc->clamp_min, &desc->clamp_max};
    if (json_array_size(clamp) != 2)
        return fail(error, "%sclamp: not a list of 2; give [min, max]", place.path);
    for (size_t i = 0; i < 2; i++) {
        const json_t *bound = json_array_get(clamp, i);
        if (json_is_null(bound))
            continue;
        if (!json_is_number(bound))
            return fail(error, "%sclamp[%zu]: not a number or null; give one", place.path, i);
        *bounds[i] = json_number_value(bound);
    }
    return true;
}

static bool read_group_scale(struct json_place place, struct conv_config *config,
                             struct error *error) {
    const json_t *rows = json_object_get(place.object, "group_scale");
    if (!rows)
        return config->desc.group_size == 0 ||
               fail(error, "%sgroup_scale: missing; group_size needs it", place.path);
    config->group_rows = json_array_size(rows);
    config->group_columns = json_array_size(json_array_get(rows, 0));
    if (config->group_rows == 0 || config->group_columns == 0 || config->desc.group_size == 0)
        return fail(error,
                    "%sgroup_scale: not a list of lists beside group_size; give "
                    "[out_channels][groups of 32] and \"group_size\": 32",
                    place.path);
    config->group_scale =
        calloc(config->group_rows * config->group_columns, sizeof *config->group_scale);
    if (!config->group_scale)
        return fail_memory(error, "group_scale");
    float *next = config->group_scale;
    for (size_t r = 0; r < config->group_rows; r++) {
        const json_t *row = json_array_get(rows, r);
        if (json_array_size(row) != config->group_columns)
            return fail(error,
                        "%sgroup_scale[%zu]: not a list of %zu as the first; give equal rows",
                        place.path, r, config->group_columns);
        for (size_t c = 0; c < config->group_columns; c++, next++) {
            const json_t *item = json_array_get(row, c);
            *next = (float)json_number_value(item);
            if (!json_is_number(item) || !isfinite(*next))
                return fail(error,
                            "%sgroup_scale[%zu][%zu]: not a number that is finite as float32; "
                            "give one",
                            place.path, r, c);
        }
    }
    return true;
}

static bool read_zero_points(struct json_place place, nm_conv_desc *desc, struct error *error) {
    const struct {
        const char *key;
        int32_t *value;
    } points[] = {{"input_zero_point", &desc->input_zero_point},
                  {"weight_zero_point", &desc->weight_zero_point},
                  {"output_zero_point", &desc->output_zero_point}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        int64_t value = 0;
        if (!json_get_integer(place, points[i].key, -128, 255, &value, error))
            return false;
        *points[i].value = (int32_t)value;
    }
    return true;
}

static bool read_all(struct json_place place, const char *requantize_path,
                     struct conv_config *config, struct error *error) {
    nm_conv_desc *desc = &config->desc;
    size_t precision = NM_PRECISION_COUNT, algorithm = NM_ALGORITHM_AUTO;
    if (!json_check_keys(place, top_keys, error) ||
        !json_get_choice(place, "precision", precision_names(), &precision, error) ||
        !json_get_choice(place, "algorithm", algorithm_names(), &algorithm, error) ||
        !json_get_sizes(place, "stride", 2, 1, INT32_MAX, desc->stride, error) ||
        !json_get_sizes(place, "dilation", 2, 1, INT32_MAX, desc->dilation, error) ||
        !json_get_sizes(place, "padding", 4, 0, INT32_MAX, desc->padding, error) ||
        !json_get_size(place, "groups", 1, INT32_MAX, &desc->groups, error) ||
        !json_get_size(place, "group_size", 0, 32, &desc->group_size, error) ||
        !read_zero_points(place, desc, error) || !read_clamp(place, desc, error) ||
        !read_requantize(place, requantize_path, config, error) ||
        !read_group_scale(place, config, error))
        return false;
    if (precision == NM_PRECISION_COUNT)
        return fail(error, "%sprecision: missing; give f32, w8a8, w4a8 or w4a4", place.path);
    desc->precision = (nm_precision)precision;
    desc->algorithm = (nm_algorithm)algorithm;
    desc->multiplier = config->multiplier;
    desc->shift = config->shift;
    desc->scale = config->scale;
    desc->group_scale = config->group_scale;
    return true;
}

bool conv_config_parse(const char *name, const unsigned char *bytes, size_t size,
                       struct conv_config *config, struct error *error) {
    *config = (struct conv_config){0};
    nm_conv_desc_init(&config->desc);
    json_t *root;
    if (!json_parse(name, bytes, size, &root, error))
        return false;
    char path[512], requantize_path[512];
    snprintf(path, sizeof path, "%.400s: ", name);
    snprintf(requantize_path, sizeof requantize_path, "%.400s: requantize.", name);
    const bool good = read_all((struct json_place){root, path}, requantize_path, config, error);
    json_decref(root);
    if (!good)
        conv_config_destroy(config);
    return good;
}

bool conv_config_read(const char *path, struct conv_config *config, struct error *error) {
    struct bytes bytes;
    *config = (struct conv_config){0};
    if (!file_read(path, &bytes, error))
        return false;
    const bool good = conv_config_parse(path, bytes.data, bytes.size, config, error);
    free(bytes.data);
    return good;
}

void conv_config_destroy(struct conv_config *config) {
    free(config->multiplier);
    free(config->shift);
    free(config->scale);
    free(config->group_scale);
    *config = (struct conv_config){0};
}
