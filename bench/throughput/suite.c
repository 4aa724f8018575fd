#include "throughput/suite.h"
#include "base/file.h"
#include "base/json_input.h"

#include <stdlib.h>
#include <string.h>

static const char *const shipped[] = {"seed", "resnet50", "mobilenet", "cold", NULL};
const names suite_names = shipped;

static const char *const suite_keys[] = {"description", "layers", "cold", NULL};
static const char *const cold_keys[] = {"cache_multiple", NULL};
static const char *const layer_keys[] = {
    "name", "input", "kernel", "out_channels", "stride", "padding", "dilation", "groups", NULL};

static bool read_name(struct json_place place, char *name, size_t size, struct error *error) {
    const char *text = NULL;
    if (!json_get_string(place, "name", &text, error))
        return false;
    const size_t length = text ? strlen(text) : 0;
    // A row's name is cut at its slashes by whoever reads the results.
    if (length == 0 || length >= size ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != length)
        return fail(error, "%sname: missing or malformed; give letters, digits, '_', '-' and '.'",
                    place.path);
    memcpy(name, text, length + 1);
    return true;
}

static bool read_layer(struct json_place place, struct layer *layer, struct error *error) {
    enum { LARGEST = 1 << 24 };
    *layer = (struct layer){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    if (!json_is_object(place.object))
        return fail(error, "%.*s: not an object; give a layer", (int)strlen(place.path) - 1,
                    place.path);
    if (!json_check_keys(place, layer_keys, error) ||
        !read_name(place, layer->name, sizeof layer->name, error) ||
        !json_get_sizes(place, "input", 3, 1, LARGEST, layer->input, error) ||
        !json_get_sizes(place, "kernel", 2, 1, LARGEST, layer->kernel, error) ||
        !json_get_size(place, "out_channels", 1, LARGEST, &layer->out_channels, error) ||
        !json_get_sizes(place, "stride", 2, 1, LARGEST, layer->stride, error) ||
        !json_get_sizes(place, "padding", 4, 0, LARGEST, layer->padding, error) ||
        !json_get_sizes(place, "dilation", 2, 1, LARGEST, layer->dilation, error) ||
        !json_get_size(place, "groups", 1, LARGEST, &layer->groups, error))
        return false;
    if (!layer->input[0] || !layer->kernel[0] || !layer->out_channels)
        return fail(error, "%s%s: missing; give it", place.path,
                    !layer->input[0]    ? "input"
                    : !layer->kernel[0] ? "kernel"
                                        : "out_channels");
    if (layer->input[2] % layer->groups || layer->out_channels % layer->groups)
        return fail(error, "%sgroups: %zu does not divide %zu and %zu channels; give one that does",
                    place.path, layer->groups, layer->input[2], layer->out_channels);
    const nm_conv_desc desc = layer_desc(layer, 1);
    size_t height, width;
    nm_error reason;
    if (nm_conv_output_size(&desc, &height, &width, &reason) != NM_OK)
        return fail(error, "%.*s: %s", (int)strlen(place.path) - 1, place.path, reason.message);
    return true;
}

static bool check_repeats(const struct suite *suite, const char *path, struct error *error) {
    for (size_t i = 0; i < suite->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(suite->layers[i].name, suite->layers[j].name) == 0)
                return fail(error, "%s: layers[%zu].name: '%s' repeats; give another", path, i,
                            suite->layers[i].name);
        }
    }
    return true;
}

static bool read_cold(struct json_place top, const char *path, struct suite *suite,
                      struct error *error) {
    char prefix[512];
    snprintf(prefix, sizeof prefix, "%.400s: cold.", path);
    const struct json_place cold = {json_object_get(top.object, "cold"), prefix};
    if (!cold.object)
        return true;
    if (!json_is_object(cold.object))
        return fail(error, "%scold: not an object; give {\"cache_multiple\": ..}", top.path);
    suite->cache_multiple = 2;
    return json_check_keys(cold, cold_keys, error) &&
           json_get_number(cold, "cache_multiple", 1, 16, &suite->cache_multiple, error);
}

static bool read_all(const char *path, const json_t *root, struct suite *suite,
                     struct error *error) {
    char prefix[512];
    snprintf(prefix, sizeof prefix, "%.400s: ", path);
    const struct json_place top = {root, prefix};
    const char *description;
    const json_t *layers = json_object_get(root, "layers");
    if (!json_check_keys(top, suite_keys, error) ||
        !json_get_string(top, "description", &description, error) ||
        !read_cold(top, path, suite, error))
        return false;
    if (json_array_size(layers) == 0)
        return fail(error, "%slayers: not a list of layers; give at least one", prefix);
    suite->layers = calloc(json_array_size(layers), sizeof *suite->layers);
    if (!suite->layers)
        return fail_memory(error, path);
    for (; suite->count < json_array_size(layers); suite->count++) {
        snprintf(prefix, sizeof prefix, "%.400s: layers[%zu].", path, suite->count);
        const struct json_place place = {json_array_get(layers, suite->count), prefix};
        if (!read_layer(place, &suite->layers[suite->count], error))
            return false;
    }
    return check_repeats(suite, path, error);
}

/** The file's name without directory and extension; false where it cannot be a suite's name. */
static bool take_name(const char *path, struct suite *suite, struct error *error) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    const size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    if (length == 0 || length >= sizeof suite->name)
        return fail(error, "%s: the name is empty or too long for a suite; rename the file", path);
    memcpy(suite->name, base, length);
    return true;
}

bool suite_parse(const char *path, const unsigned char *bytes, size_t size, struct suite *suite,
                 struct error *error) {
    *suite = (struct suite){0};
    json_t *root;
    if (!take_name(path, suite, error) || !json_parse(path, bytes, size, &root, error))
        return false;
    const bool good = read_all(path, root, suite, error);
    json_decref(root);
    if (!good)
        suite_destroy(suite);
    return good;
}

static bool is_path(const char *name) {
    const size_t length = strlen(name);
    return strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".json") == 0);
}

bool suite_read(const char *name, struct suite *suite, struct error *error) {
    char relative[128], path[DATA_PATH_MAX];
    *suite = (struct suite){0};
    if (!is_path(name)) {
        if (names_find(shipped, name) < 0) {
            struct error unknown;
            names_fail(shipped, "suite", name, &unknown);
            return fail(error, "%s, all, or the path of a .json file", unknown.message);
        }
        snprintf(relative, sizeof relative, "suites/%s.json", name);
        if (!data_find(relative, path, error))
            return false;
        name = path;
    }
    struct bytes bytes;
    if (!file_read(name, &bytes, error))
        return false;
    const bool good = suite_parse(name, bytes.data, bytes.size, suite, error);
    free(bytes.data);
    return good;
}

void suite_destroy(struct suite *suite) {
    free(suite->layers);
    *suite = (struct suite){0};
}

nm_conv_desc layer_desc(const struct layer *layer, size_t batch) {
    nm_conv_desc desc;
    nm_conv_desc_init(&desc);
    desc.batch = batch;
    desc.in_height = layer->input[0];
    desc.in_width = layer->input[1];
    desc.in_channels = layer->input[2];
    desc.out_channels = layer->out_channels;
    desc.kernel_height = layer->kernel[0];
    desc.kernel_width = layer->kernel[1];
    memcpy(desc.stride, layer->stride, sizeof desc.stride);
    memcpy(desc.padding, layer->padding, sizeof desc.padding);
    memcpy(desc.dilation, layer->dilation, sizeof desc.dilation);
    desc.groups = layer->groups;
    return desc;
}
