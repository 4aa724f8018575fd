/** A run of `narrowmac bench`: what is timed, and what came of it. */
#ifndef BENCH_BENCH_RUN_H
#define BENCH_BENCH_RUN_H

#include "base/stats.h"
#include "throughput/measure.h"
#include "throughput/peer.h"
#include "throughput/suite.h"

#include <jansson.h>

/** Who computes: a tier of ours, or a peer. */
struct implementation {
    const char *name;
    nm_isa isa;              /**< ours; for a peer, the tier whose ceiling it is held against */
    const struct peer *peer; /**< NULL for ours */
};

enum outcome {
    ROW_WAITING,
    ROW_MEASURED,
    ROW_SKIPPED, /**< the implementation has no such convolution */
    ROW_FAILED,  /**< its output differs from the reference; never timed */
};

/** One line of the results: SUITE.LAYER/PRECISION/IMPLEMENTATION/threads:N */
struct row {
    char *name;
    const struct suite *suite;
    const struct layer *layer;
    nm_precision precision;
    const struct implementation *implementation;
    unsigned threads;

    enum outcome outcome;
    char *message;        /**< why it was skipped or failed, or how the output differs; or NULL */
    struct runner runner; /**< live only while it is measured; its figures stay */
    size_t iterations;
    struct sample *samples; /**< [repetitions] */
    struct stats real, cpu; /**< seconds of a run */
    /** MACs a second of the tier, the median of what was interleaved; 0 for the scalar reference,
     *  which has none. */
    double ceiling;
};

/** What a tier reaches on registers, over the whole run. */
struct ceiling_record {
    nm_isa isa;
    nm_precision precision; /**< NM_F32 or NM_W8A8 */
    unsigned threads;
    double *rates; /**< MACs a second, one for each repetition of each layer */
    size_t count;
};

struct bench {
    struct suite *suites;
    size_t suite_count;
    struct implementation *implementations;
    size_t implementation_count;
    struct row *rows; /**< those of a layer and thread count stand together */
    size_t row_count;
    struct ceiling_record *ceilings;
    size_t ceiling_count;

    size_t batch, repetitions;
    double min_time;
    size_t double_every; /**< as in measure.h */
    nm_algorithm algorithm;
    unsigned max_threads; /**< for the reference */
    double noisy_cv;      /**< share of the time by which a row may vary and not be noisy */
    double started;
};

/** Measures the rows [first, end) of one layer and thread count, interleaved. False when something
 *  other than a row's own trouble stops the run. */
bool bench_measure(struct bench *bench, size_t first, size_t end, struct error *error);

/** End of the group of rows that begins at first. */
size_t bench_group_end(const struct bench *bench, size_t first);

/** Whether repetitions varied too much, or other programs had the processor meanwhile. */
static inline bool row_noisy(const struct bench *bench, const struct row *row) {
    // One thread that had less than its processor shared it with other programs.
    const bool shared =
        row->threads == 1 && row->cpu.median < (1 - bench->noisy_cv) * row->real.median;
    return row->real.cv > bench->noisy_cv || shared;
}

/** MACs a second at the median time. */
static inline double row_rate(const struct row *row) {
    return (double)row->runner.macs / row->real.median;
}

/** The document of --json: Google Benchmark's schema and our counters. New reference. */
json_t *bench_json(const struct bench *bench, json_t *context);

/** The tables of one suite's rows. */
void bench_print(const struct bench *bench, const struct suite *suite, FILE *file);

#endif
