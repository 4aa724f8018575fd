/** Timing: calibrated, repeated, interleaved. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "throughput/runner.h"

#include <stddef.h>

/** Seconds of one run, averaged over a repetition. */
struct sample {
    double real, cpu; /**< wall clock; processor time of all threads */
};

struct measured {
    struct runner *runner;
    size_t iterations;      /**< in each repetition */
    struct sample *samples; /**< [repetitions]; the caller's */
};

struct measure_options {
    size_t repetitions;
    double min_time; /**< seconds of a repetition, at least */
    /** Called after every repetition of an item; may be NULL. */
    void (*tick)(void *context);
    void *context;
    size_t double_every; /**< every N-th run is done twice: a slowdown of 1/N; 0: none */
};

/**
 * Calibrates each item to the minimum time, then takes one repetition of each in turn, the order
 * rotating, until all have theirs: slow changes of the machine reach all alike. Each repetition is
 * preceded by an untimed run, which brings the item's data back to the caches, and followed by
 * runner.rest: the next item has the cores to itself.
 */
void measure(struct measured *items, size_t count, const struct measure_options *options);

#endif
