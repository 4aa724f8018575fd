/** Results documents (bench, accuracy, fpga and any Google Benchmark JSON) as series of samples. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/** One measured quantity of one benchmark: a sample for each repetition, or for each seed. */
struct series {
    char *name;
    const char *metric; /**< static; "real_time", "top1", "lut", .. */
    const char *unit;   /**< static; "ns" for times; "" for counts and ratios */
    bool higher_is_better;
    bool judged;      /**< compared by default: not the other clock of a benchmark */
    bool exact;       /**< deterministic: compared to the digit, and the same on every machine */
    char *attributes; /**< the row's other fields, a JSON object */
    size_t count;
    int64_t *position; /**< repetition (from 0) or seed of each value */
    int64_t highest;   /**< of the positions; INT64_MIN while there are none */
    double *value;
};

struct results {
    const char *kind; /**< static: "bench", "accuracy" or "fpga" */
    size_t count;
    struct series *series;
    size_t skipped; /**< rows without a figure: failed, or not measured */
};

/** Reads a JSON file; errors name line and column. Free with json_decref(). */
json_t *results_read(const char *path, struct error *error);

/**
 * Takes a document apart.
 *
 * @param source names the document in errors.
 * @return false where it is of no known kind, a row lacks what identifies it, a figure is no
 *         number, or no row holds a figure.
 */
bool results_parse(const json_t *document, const char *source, struct results *results,
                   struct error *error);

void results_free(struct results *results);

#endif
