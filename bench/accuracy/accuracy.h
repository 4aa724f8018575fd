/** What `narrowmac accuracy` measures: rows of layer errors and of classification. */
#ifndef BENCH_ACCURACY_H
#define BENCH_ACCURACY_H

#include "accuracy/metrics.h"
#include "base/cli.h"
#include "network/network.h"

#include <jansson.h>

enum { FIRST_VALUES = 5 };

/** Stands for "none" in the optional names of rows. */
enum { NONE = -1 };

struct accuracy_options {
    const char *directory; /**< of the manifests and goldens */
    const char *layer;     /**< the one to report; NULL for all, and for classification too */
    struct cli_list precisions, schemes, networks; /**< indices, in the order to report */
    bool isolated;
    size_t images; /**< most test images to classify */
    nm_isa isa;
    unsigned threads;
};

/** One layer against TensorFlow's float32 output. */
struct layer_row {
    char network[32], layer[64];
    bool isolated;
    nm_precision precision;
    int scheme;   /**< nm_scheme; NONE for f32 */
    int rounding; /**< nm_rounding, of TensorFlow Lite's int8 outputs; NONE for float outputs */
    size_t images;
    struct metrics metrics;
    size_t tflite_mismatches; /**< bytes that differ; where rounding is given */
    /** Of the first FIRST_VALUES outputs that TensorFlow has above zero. */
    float first[FIRST_VALUES], first_reference[FIRST_VALUES];
};

struct layer_rows {
    struct layer_row *row;
    size_t count;
};

/** Adds a network's rows, layer by layer, in the order of precisions and schemes. */
bool layer_rows_add(struct layer_rows *rows, const struct network *network,
                    const struct accuracy_options *options, struct error *error);

/** One network's classification of its test images. */
struct network_row {
    char network[32];
    nm_precision precision;
    int scheme; /**< nm_scheme; NONE for f32 */
    size_t images, right;
};

struct network_rows {
    struct network_row *row;
    size_t count;
    char *source; /**< where the last network's test images came from; NULL before there are any */
};

/** Adds a network's rows; none where its manifest names no test images. */
bool network_rows_add(struct network_rows *rows, const struct network *network,
                      const struct accuracy_options *options, struct error *error);

/** Tables on stdout. */
bool print_layer_rows(const struct layer_rows *rows, struct error *error);
void print_network_rows(const struct network_rows *rows);

/** The arrays of the JSON document; new references. */
json_t *layer_rows_json(const struct layer_rows *rows);
json_t *network_rows_json(const struct network_rows *rows);

#endif
