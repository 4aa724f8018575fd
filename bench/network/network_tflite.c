#include "network/network_tflite.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REMEDY "export the goldens again"

static bool read_scale(struct json_place place, const char *key, float *value,
                       struct error *error) {
    double number = 0;
    if (!json_get_number(place, key, 0, 1e30, &number, error))
        return false;
    *value = (float)number;
    return *value > 0 || fail(error, "%s%s: missing or not above 0; " REMEDY, place.path, key);
}

static bool read_code(struct json_place place, const char *key, int32_t *value,
                      struct error *error) {
    int64_t integer = INT64_MIN;
    if (!json_get_integer(place, key, INT8_MIN, INT8_MAX, &integer, error))
        return false;
    *value = (int32_t)integer;
    return integer != INT64_MIN || fail(error, "%s%s: missing; " REMEDY, place.path, key);
}

static bool read_clamp(struct json_place place, int32_t clamp[2], struct error *error) {
    int32_t *codes = NULL;
    size_t count = 0;
    bool good = json_get_int32s(place, "clamp", INT8_MIN, INT8_MAX, &codes, &count, error);
    if (good && (count != 2 || codes[0] > codes[1]))
        good = fail(error, "%sclamp: not two codes in order; " REMEDY, place.path);
    if (good)
        memcpy(clamp, codes, 2 * sizeof *clamp);
    free(codes);
    return good;
}

/** A scale for each channel; the file may give one for all. */
static bool read_weight_scales(struct json_place place, size_t channels, float **scales,
                               struct error *error) {
    float *given = NULL;
    size_t count = 0;
    bool good = json_get_floats(place, "weight_scales", &given, &count, error);
    if (good && count != 1 && count != channels)
        good = fail(error, "%sweight_scales: %zu, neither 1 nor %zu; " REMEDY, place.path, count,
                    channels);
    *scales = need(channels, sizeof **scales);
    for (size_t o = 0; good && o < channels; o++) {
        (*scales)[o] = given[count == 1 ? 0 : o];
        if (!((*scales)[o] > 0))
            good = fail(error, "%sweight_scales: not above 0; " REMEDY, place.path);
    }
    free(given);
    return good;
}

static const void *read_tensor(struct json_place place, const struct safetensors *tensors,
                               const char *key, nm_dtype type, size_t count, struct error *error) {
    const struct tensor *tensor;
    if (!json_need_tensor(place, key, tensors, &tensor, error))
        return NULL;
    if (tensor->type == type && tensor->count == count)
        return tensor->data;
    error_set(error, "%s%s: the tensor is %s of %zu values, not %s of %zu; " REMEDY, place.path,
              key, dtype_name(tensor->type), tensor->count, dtype_name(type), count);
    return NULL;
}

static bool read_layer(struct json_place place, const struct safetensors *tensors, size_t images,
                       struct tflite_layer *layer, struct error *error) {
    const struct layer *shape = layer->layer;
    const size_t channels = shape->out.channels;
    const char *name;
    if (!json_need_string(place, "name", &name, error))
        return false;
    if (strcmp(name, shape->name) != 0)
        return fail(error, "%sname: '%.64s', where the network has '%.64s'; " REMEDY, place.path,
                    name, shape->name);
    return read_scale(place, "input_scale", &layer->input_scale, error) &&
           read_scale(place, "output_scale", &layer->output_scale, error) &&
           read_code(place, "input_zero_point", &layer->input_zero_point, error) &&
           read_code(place, "output_zero_point", &layer->output_zero_point, error) &&
           read_clamp(place, layer->clamp, error) &&
           read_weight_scales(place, channels, &layer->weight_scale, error) &&
           (layer->input = read_tensor(place, tensors, "input", NM_INT8,
                                       images * volume_size(shape->in), error)) &&
           (layer->output = read_tensor(place, tensors, "output", NM_INT8,
                                        images * volume_size(shape->out), error)) &&
           (layer->weights = read_tensor(place, tensors, "weights", NM_INT8,
                                         channels * layer_reduction(shape), error)) &&
           (layer->bias = read_tensor(place, tensors, "bias", NM_INT32, channels, error));
}

static bool read_layers(const struct network *network, const json_t *document, size_t images,
                        struct tflite *tflite, struct error *error) {
    const json_t *array = json_object_get(document, "layers");
    tflite->images = images;
    tflite->layers = need(network->layer_count, sizeof *tflite->layers);
    bool good = true;
    for (size_t i = 0; good && i < network->layer_count; i++) {
        if (network->layers[i].op != LAYER_CONV)
            continue;
        const size_t at = tflite->layer_count++;
        tflite->layers[at].layer = &network->layers[i];
        char *where = need_format("%s: layers[%zu].", network->tflite, at);
        const struct json_place place = {json_array_get(array, at), where};
        good = read_layer(place, &tflite->tensors, images, &tflite->layers[at], error);
        free(where);
    }
    if (good && tflite->layer_count != json_array_size(array))
        good = fail(error, "%s: layers: %zu, the network has %zu to quantize; " REMEDY,
                    network->tflite, json_array_size(array), tflite->layer_count);
    return good;
}

bool tflite_read(const struct network *network, size_t images, struct tflite *tflite,
                 struct error *error) {
    *tflite = (struct tflite){0};
    json_t *document;
    if (!document_read(network->tflite, "narrowmac-tflite/1", &document, error))
        return false;
    char *where = need_format("%s: ", network->tflite), *path = NULL;
    const char *name;
    bool good = json_need_string((struct json_place){document, where}, "tensors", &name, error);
    if (good) {
        path = path_beside(network->tflite, name);
        good = safetensors_read(path, &tflite->tensors, error) &&
               read_layers(network, document, images, tflite, error);
    }
    free(path);
    free(where);
    json_decref(document);
    if (!good)
        tflite_destroy(tflite);
    return good;
}

void tflite_destroy(struct tflite *tflite) {
    for (size_t i = 0; i < tflite->layer_count; i++)
        free(tflite->layers[i].weight_scale);
    free(tflite->layers);
    safetensors_destroy(&tflite->tensors);
    *tflite = (struct tflite){0};
}

bool tflite_plan(const struct tflite_layer *layer, nm_rounding rounding, size_t images, nm_isa isa,
                 unsigned threads, struct conv_plan *plan, struct error *error) {
    const size_t channels = layer->layer->out.channels;
    int32_t *multiplier = need(channels, sizeof *multiplier);
    int32_t *shift = need(channels, sizeof *shift);
    float *scale = need(channels, sizeof *scale);
    nm_error why;
    bool good = true;
    for (size_t o = 0; good && o < channels; o++) {
        const double factor =
            (double)layer->input_scale * layer->weight_scale[o] / layer->output_scale;
        scale[o] = (float)factor;
        if (nm_quantize_multiplier(factor, &multiplier[o], &shift[o], &why) != NM_OK)
            good = fail(error, "layer %s: %s", layer->layer->name, why.message);
    }
    nm_conv_desc desc = conv_desc_of(layer->layer, images);
    desc.precision = NM_W8A8;
    desc.isa = isa;
    desc.input_type = desc.output_type = NM_INT8;
    desc.input_zero_point = layer->input_zero_point;
    desc.output_zero_point = layer->output_zero_point;
    desc.rounding = rounding;
    desc.scale_count = channels;
    desc.multiplier = multiplier;
    desc.shift = shift;
    desc.scale = scale;
    desc.clamp_min = layer->clamp[0];
    desc.clamp_max = layer->clamp[1];
    *plan = (struct conv_plan){0};
    good = good && conv_plan_finish(layer->layer->name, &desc, layer->weights, layer->bias, threads,
                                    plan, error);
    free(multiplier);
    free(shift);
    free(scale);
    return good;
}
