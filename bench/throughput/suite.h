/**
 * Benchmark suites: data files of layer shapes.
 *
 *     {"description": "..",
 *      "layers": [{"name": "res2_3x3", "input": [56, 56, 64], "kernel": [3, 3],
 *                  "out_channels": 64, "stride": [1, 1], "padding": [1, 1, 1, 1],
 *                  "dilation": [1, 1], "groups": 1}],
 *      "cold": {"cache_multiple": 2}}
 *
 * input is height, width, channels; padding top, left, bottom, right; description, stride,
 * padding, dilation, groups and cold may be left out. `cold` streams the weights from memory: each
 * run takes the next of so many copies of the plan that their weights together are cache_multiple
 * times the largest cache (a thousand at most, and no more than memory allows).
 */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "base/error.h"
#include "base/names.h"

#include <narrowmac.h>
#include <stddef.h>

struct layer {
    char name[64]; /**< letters, digits, '_', '-', '.' */
    size_t input[3];
    size_t kernel[2];
    size_t out_channels;
    size_t stride[2], padding[4], dilation[2], groups;
};

struct suite {
    char name[64]; /**< the file's, without directory and extension */
    struct layer *layers;
    size_t count;
    double cache_multiple; /**< 0: one plan, whose weights stay in what cache holds them */
};

/** The suites that ship with the program, in the order of "all". */
extern const names suite_names;

/** @param name a shipped suite's name, or the path of a file (with a '/' or ending in ".json"). */
bool suite_read(const char *name, struct suite *suite, struct error *error);

/** suite_read() of bytes in memory. @param path names them in errors, and the suite. */
bool suite_parse(const char *path, const unsigned char *bytes, size_t size, struct suite *suite,
                 struct error *error);

void suite_destroy(struct suite *suite);

/** Shapes alone, at a batch size. */
nm_conv_desc layer_desc(const struct layer *layer, size_t batch);

#endif
