#include "network/network.h"
#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REMEDY "export the goldens again"

enum {
    MAX_SIZE = 1 << 16,   /**< of any one dimension */
    MAX_VOLUME = 1 << 28, /**< values of an activation */
    MAX_LAYERS = 1024,
};

names network_names(void) {
    static const char *const list[] = {"seed", "fashion", NULL};
    return list;
}

size_t volume_size(struct volume volume) { return volume.height * volume.width * volume.channels; }

size_t layer_reduction(const struct layer *layer) {
    return layer->kernel[0] * layer->kernel[1] * layer->in.channels / layer->groups;
}

size_t network_widest(const struct network *network) {
    size_t widest = volume_size(network->input);
    for (size_t i = 0; i < network->layer_count; i++) {
        const size_t size = volume_size(network->layers[i].out);
        widest = size > widest ? size : widest;
    }
    return widest;
}

bool document_read(const char *path, const char *format, json_t **document, struct error *error) {
    struct bytes bytes;
    *document = NULL;
    if (!file_read(path, &bytes, error))
        return false;
    const bool parsed = json_parse(path, bytes.data, bytes.size, document, error);
    free(bytes.data);
    if (!parsed)
        return false;
    const char *found = json_string_value(json_object_get(*document, "format"));
    if (found && strcmp(found, format) == 0)
        return true;
    error_set(error, "%s: format is '%.64s', not '%s'; " REMEDY, path, found ? found : "(none)",
              format);
    json_decref(*document);
    *document = NULL;
    return false;
}

bool json_need_string(struct json_place place, const char *key, const char **value,
                      struct error *error) {
    *value = NULL;
    if (!json_get_string(place, key, value, error))
        return false;
    return (*value && **value) || fail(error, "%s%s: missing or empty; " REMEDY, place.path, key);
}

bool json_need_tensor(struct json_place place, const char *key, const struct safetensors *tensors,
                      const struct tensor **tensor, struct error *error) {
    const char *name;
    return json_need_string(place, key, &name, error) &&
           safetensors_find(tensors, name, tensor, error);
}

char *path_beside(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return need_format("%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
}

/* ---- Layers ------------------------------------------------------------------------------- */

/** @param key what has the volume: "input" or "output". */
static bool check_volume(struct json_place place, const char *key, struct volume volume,
                         struct error *error) {
    size_t size;
    if (__builtin_mul_overflow(volume.height, volume.width, &size) ||
        __builtin_mul_overflow(size, volume.channels, &size) || size > MAX_VOLUME)
        return fail(error, "%s%s: more than %d values; give smaller sizes", place.path, key,
                    MAX_VOLUME);
    return true;
}

static bool check_finite(const char *path, const char *name, const struct tensor *tensor,
                         struct error *error) {
    const float *values = tensor->data;
    for (size_t i = 0; i < tensor->count; i++) {
        if (!isfinite(values[i]))
            return fail(error, "%s: tensor '%s': value %zu is not finite; " REMEDY, path, name, i);
    }
    return true;
}

/** The tensor that key names, of float32 and the given rank; wanted sizes of 0 may be any. */
static bool read_tensor(struct json_place place, const struct network *network, const char *key,
                        size_t rank, const size_t *wanted, const struct tensor **tensor,
                        struct error *error) {
    if (!json_need_tensor(place, key, &network->tensors, tensor, error))
        return false;
    bool fits = (*tensor)->type == NM_FLOAT32 && (*tensor)->rank == rank;
    for (size_t i = 0; fits && i < rank; i++)
        fits =
            (*tensor)->shape[i] <= MAX_SIZE && (wanted[i] == 0 || (*tensor)->shape[i] == wanted[i]);
    if (!fits)
        return fail(
            error, "%s%s: the tensor is %s %s, the layer takes float32 %s (0: any); " REMEDY,
            place.path, key, dtype_name((*tensor)->type),
            shape_text((*tensor)->rank, (*tensor)->shape).text, shape_text(rank, wanted).text);
    return check_finite(network->tensors.path, key, *tensor, error);
}

static bool read_weights(struct json_place place, const struct network *network, size_t rank,
                         const size_t *wanted, struct layer *layer, struct error *error) {
    const struct tensor *weights, *bias;
    const char *activation;
    if (!read_tensor(place, network, "weights", rank, wanted, &weights, error) ||
        !read_tensor(place, network, "bias", 1, weights->shape, &bias, error) ||
        !json_need_string(place, "activation", &activation, error))
        return false;
    layer->relu = strcmp(activation, "relu") == 0;
    if (!layer->relu && strcmp(activation, "none") != 0)
        return fail(error, "%sactivation: '%.64s' is unknown; use one of none, relu", place.path,
                    activation);
    layer->out.channels = weights->shape[0];
    layer->kernel[0] = rank == 4 ? weights->shape[1] : 1;
    layer->kernel[1] = rank == 4 ? weights->shape[2] : 1;
    layer->weights = weights->data;
    layer->bias = bias->data;
    return true;
}

static bool read_conv(struct json_place place, const struct network *network, struct layer *layer,
                      struct error *error) {
    layer->op = LAYER_CONV;
    if (!json_get_sizes(place, "stride", 2, 1, MAX_SIZE, layer->stride, error) ||
        !json_get_sizes(place, "padding", 4, 0, MAX_SIZE, layer->padding, error) ||
        !json_get_sizes(place, "dilation", 2, 1, MAX_SIZE, layer->dilation, error) ||
        !json_get_size(place, "groups", 1, MAX_SIZE, &layer->groups, error))
        return false;
    if (layer->in.channels % layer->groups)
        return fail(error, "%sgroups: %zu does not divide %zu input channels; give one that does",
                    place.path, layer->groups, layer->in.channels);
    const size_t wanted[4] = {0, 0, 0, layer->in.channels / layer->groups};
    if (!read_weights(place, network, 4, wanted, layer, error))
        return false;
    const nm_conv_desc desc = conv_desc_of(layer, 1);
    nm_error why;
    return nm_conv_output_size(&desc, &layer->out.height, &layer->out.width, &why) == NM_OK ||
           fail(error, "%s%s", place.path, why.message);
}

static bool read_dense(struct json_place place, const struct network *network, struct layer *layer,
                       struct error *error) {
    layer->op = LAYER_CONV;
    layer->in = (struct volume){1, 1, volume_size(layer->in)};
    layer->out = (struct volume){1, 1, 0};
    const size_t wanted[2] = {0, layer->in.channels};
    return read_weights(place, network, 2, wanted, layer, error);
}

static bool read_pool(struct json_place place, struct layer *layer, struct error *error) {
    layer->op = LAYER_POOL;
    if (!json_get_sizes(place, "size", 2, 1, MAX_SIZE, layer->kernel, error) ||
        !json_get_sizes(place, "stride", 2, 1, MAX_SIZE, layer->stride, error))
        return false;
    if (layer->kernel[0] > layer->in.height || layer->kernel[1] > layer->in.width)
        return fail(error, "%ssize: larger than the input, %zux%zu; give a smaller one", place.path,
                    layer->in.height, layer->in.width);
    layer->out = (struct volume){(layer->in.height - layer->kernel[0]) / layer->stride[0] + 1,
                                 (layer->in.width - layer->kernel[1]) / layer->stride[1] + 1,
                                 layer->in.channels};
    return true;
}

static bool read_layer(struct json_place place, const struct network *network, struct volume in,
                       struct layer *layer, struct error *error) {
    static const char *const ops[] = {"conv2d", "dense", "max_pool", NULL};
    size_t op = SIZE_MAX;
    *layer = (struct layer){
        .in = in, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    if (!json_is_object(place.object))
        return fail(error, "%snot an object; " REMEDY, place.path);
    if (!json_need_string(place, "name", &layer->name, error) ||
        !json_get_choice(place, "op", ops, &op, error))
        return false;
    bool good;
    if (op == SIZE_MAX)
        good = fail(error, "%sop: missing; use one of conv2d, dense, max_pool", place.path);
    else if (op == 0)
        good = read_conv(place, network, layer, error);
    else if (op == 1)
        good = read_dense(place, network, layer, error);
    else
        good = read_pool(place, layer, error);
    return good && check_volume(place, "output", layer->out, error);
}

/** Layers are known by their names, and the goldens hold 'input' beside them. */
static bool check_name(struct json_place place, const struct network *network, size_t layer,
                       struct error *error) {
    const char *name = network->layers[layer].name;
    bool taken = strcmp(name, "input") == 0;
    for (size_t i = 0; i < layer; i++)
        taken |= strcmp(network->layers[i].name, name) == 0;
    return !taken || fail(error, "%sname: '%.64s' is taken; give another", place.path, name);
}

static bool read_layers(const char *path, struct network *network, struct error *error) {
    const json_t *array = json_object_get(network->manifest, "layers");
    const size_t count = json_array_size(array);
    if (count == 0 || count > MAX_LAYERS)
        return fail(error, "%s: layers: not a list of 1..%d; " REMEDY, path, MAX_LAYERS);
    network->layers = need(count, sizeof *network->layers);
    struct volume volume = network->input;
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        char *where = need_format("%s: layers[%zu].", path, i);
        const struct json_place place = {json_array_get(array, i), where};
        good = read_layer(place, network, volume, &network->layers[i], error) &&
               check_name(place, network, i, error);
        free(where);
        volume = network->layers[i].out;
    }
    network->layer_count = count;
    return good;
}

/* ---- Network ------------------------------------------------------------------------------ */

/** The file that key names, beside the manifest; NULL where there is no key. */
static bool read_path(struct json_place place, const char *manifest, const char *key, char **path,
                      struct error *error) {
    const char *name = NULL;
    if (!json_get_string(place, key, &name, error))
        return false;
    *path = name ? path_beside(manifest, name) : NULL;
    return true;
}

static bool read_files(const char *path, struct network *network, struct error *error) {
    char *place_path = need_format("%s: ", path);
    const struct json_place place = {network->manifest, place_path};
    size_t input[3] = {0};
    const char *tensors;
    bool good = json_get_sizes(place, "input", 3, 1, MAX_SIZE, input, error) &&
                (input[0] || fail(error, "%s: input: missing; " REMEDY, path)) &&
                read_path(place, path, "goldens", &network->goldens, error) &&
                read_path(place, path, "calibration", &network->calibration, error) &&
                read_path(place, path, "tflite", &network->tflite, error) &&
                read_path(place, path, "test", &network->test, error) &&
                json_need_string(place, "tensors", &tensors, error);
    network->input = (struct volume){input[0], input[1], input[2]};
    good = good && check_volume(place, "input", network->input, error);
    free(place_path);
    if (!good)
        return false;
    char *weights = path_beside(path, tensors);
    good = safetensors_read(weights, &network->tensors, error);
    free(weights);
    return good;
}

bool network_read(const char *directory, const char *name, struct network *network,
                  struct error *error) {
    *network = (struct network){.name = need_format("%s", name)};
    char *path = need_format("%s/%s.json", directory, name);
    const bool good = document_read(path, "narrowmac-network/1", &network->manifest, error) &&
                      read_files(path, network, error) && read_layers(path, network, error);
    free(path);
    if (!good)
        network_destroy(network);
    return good;
}

void network_destroy(struct network *network) {
    free(network->name);
    free(network->layers);
    free(network->goldens);
    free(network->calibration);
    free(network->tflite);
    free(network->test);
    safetensors_destroy(&network->tensors);
    json_decref(network->manifest);
    *network = (struct network){0};
}

nm_conv_desc conv_desc_of(const struct layer *layer, size_t batch) {
    nm_conv_desc desc;
    nm_conv_desc_init(&desc);
    desc.batch = batch;
    desc.in_height = layer->in.height;
    desc.in_width = layer->in.width;
    desc.in_channels = layer->in.channels;
    desc.out_channels = layer->out.channels;
    desc.kernel_height = layer->kernel[0];
    desc.kernel_width = layer->kernel[1];
    desc.groups = layer->groups;
    memcpy(desc.stride, layer->stride, sizeof desc.stride);
    memcpy(desc.dilation, layer->dilation, sizeof desc.dilation);
    memcpy(desc.padding, layer->padding, sizeof desc.padding);
    return desc;
}

/* ---- Images and goldens ------------------------------------------------------------------- */

bool network_check_images(const struct network *network, const char *path, nm_dtype type,
                          const struct tensor *images, struct error *error) {
    const size_t shape[4] = {images->shape[0], network->input.height, network->input.width,
                             network->input.channels};
    if (images->type == type && images->rank == 4 &&
        memcmp(images->shape, shape, sizeof shape) == 0)
        return true;
    return fail(error, "%s: the images are %s %s, network %s takes %s (N, %zu, %zu, %zu); " REMEDY,
                path, dtype_name(images->type), shape_text(images->rank, images->shape).text,
                network->name, dtype_name(type), shape[1], shape[2], shape[3]);
}

/** The volume of a golden tensor: the network's input or a layer's output. */
static const struct volume *golden_volume(const struct network *network, const char *name) {
    if (strcmp(name, "input") == 0)
        return &network->input;
    for (size_t i = 0; i < network->layer_count; i++) {
        if (strcmp(network->layers[i].name, name) == 0)
            return &network->layers[i].out;
    }
    return NULL;
}

static bool check_golden(const struct network *network, const char *path, size_t images,
                         const struct named_tensor *item, struct error *error) {
    const struct volume *volume = golden_volume(network, item->name);
    const struct tensor *tensor = &item->tensor;
    if (!volume)
        return fail(error, "%s: tensor '%s' is neither 'input' nor a layer of %s; " REMEDY, path,
                    item->name, network->name);
    if (tensor->type != NM_FLOAT32 || tensor->count != images * volume_size(*volume))
        return fail(error, "%s: tensor '%s' is %s %s, not float32 of %zu x %zu values; " REMEDY,
                    path, item->name, dtype_name(tensor->type),
                    shape_text(tensor->rank, tensor->shape).text, images, volume_size(*volume));
    return check_finite(path, item->name, tensor, error);
}

bool network_goldens(const struct network *network, struct safetensors *goldens,
                     const struct tensor **input, struct error *error) {
    if (!network->goldens)
        return fail(error, "network %s: its manifest names no goldens; " REMEDY, network->name);
    if (!safetensors_read(network->goldens, goldens, error))
        return false;
    bool good = safetensors_find(goldens, "input", input, error) &&
                network_check_images(network, goldens->path, NM_FLOAT32, *input, error);
    for (size_t i = 0; good && i < goldens->count; i++)
        good = check_golden(network, goldens->path, (*input)->shape[0], &goldens->items[i], error);
    if (!good)
        safetensors_destroy(goldens);
    return good;
}

const float *golden_find(const struct safetensors *goldens, const char *name) {
    for (size_t i = 0; goldens && i < goldens->count; i++) {
        if (strcmp(goldens->items[i].name, name) == 0)
            return goldens->items[i].tensor.data;
    }
    return NULL;
}
