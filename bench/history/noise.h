/** How much a machine's runs differ where nothing changed, learnt from its history. */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

#include "history/history.h"

/**
 * Relative standard deviation of one run's level of a benchmark: the larger of the spread of runs
 * within a build, and of the steps from one build to the next (by their median absolute deviation,
 * so that the few real changes do not count). Each needs NOISE_LEAST_RUNS degrees of freedom.
 *
 * @param noise receives NaN where the history knows too little.
 */
bool noise_learn(struct history *history, const char *name, const char *metric, const char *machine,
                 double *noise, struct error *error);

enum {
    NOISE_LEAST_RUNS = 8,
    NOISE_LAST_RUNS = 400, /**< how far back it looks */
};

#endif
