/**
 * A small feed-forward network and its goldens, from a `narrowmac-network/1` manifest: JSON that
 * lists the layers in order and names the files of weights, inputs and expected outputs beside it.
 */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include "base/error.h"
#include "base/json_input.h"
#include "base/names.h"
#include "input/safetensors.h"

#include <narrowmac.h>
#include <stddef.h>

/** The shape of one image or activation, NHWC without the N. */
struct volume {
    size_t height, width, channels;
};

enum layer_op {
    LAYER_CONV, /**< also a dense layer: a 1x1 convolution of the flattened volume */
    LAYER_POOL, /**< maximum over windows, without padding */
};

struct layer {
    const char *name;
    enum layer_op op;
    struct volume in, out;
    size_t kernel[2], stride[2], dilation[2]; /**< height, width; a pool's kernel is its window */
    size_t padding[4];                        /**< top, left, bottom, right */
    size_t groups;
    bool relu;
    const float *weights; /**< OHWI; weights and bias belong to the network */
    const float *bias;
};

struct network {
    char *name;
    struct volume input;
    struct layer *layers;
    size_t layer_count;
    /** Paths; NULL where the manifest names none. */
    char *goldens, *calibration, *tflite, *test;

    struct safetensors tensors;
    json_t *manifest; /**< keeps the layers' names */
};

/** The networks that the program knows, in the order of its tables: NAME.json of a directory. */
names network_names(void);

/** Values of a volume. */
size_t volume_size(struct volume volume);

/** The files of a network are JSON objects that say their format: reads one, a new reference. */
bool document_read(const char *path, const char *format, json_t **document, struct error *error);

/** A text that must be there; the name of a tensor that must be in the file. */
bool json_need_string(struct json_place place, const char *key, const char **value,
                      struct error *error);
bool json_need_tensor(struct json_place place, const char *key, const struct safetensors *tensors,
                      const struct tensor **tensor, struct error *error);

/** The path of a file in the same directory; free(). */
char *path_beside(const char *path, const char *name);

/** Reads DIRECTORY/NAME.json and the weights; checks that every layer fits the one before. */
bool network_read(const char *directory, const char *name, struct network *network,
                  struct error *error);
void network_destroy(struct network *network);

/** The layer's shapes as the library takes them, without types and scales. */
nm_conv_desc conv_desc_of(const struct layer *layer, size_t batch);

/** Values of one layer's weight row: kernel height x width x channels of a group. */
size_t layer_reduction(const struct layer *layer);

/** The largest count of values that an image takes on its way, the input included. */
size_t network_widest(const struct network *network);

/**
 * A tensor of images of the network's input shape, (N, H, W, C), N >= 1.
 *
 * @param path the file's, for errors.
 */
bool network_check_images(const struct network *network, const char *path, nm_dtype type,
                          const struct tensor *images, struct error *error);

/**
 * Reads network.goldens: `input`, float32 images, and TensorFlow's output, after the activation, of
 * the layers that it names.
 *
 * @param input receives the tensor of the images; it belongs to goldens.
 */
bool network_goldens(const struct network *network, struct safetensors *goldens,
                     const struct tensor **input, struct error *error);

/** The golden output of a layer; NULL where there is none, or goldens is NULL. */
const float *golden_find(const struct safetensors *goldens, const char *name);

#endif
