/** How far values are from their reference. */
#ifndef BENCH_METRICS_H
#define BENCH_METRICS_H

#include <stddef.h>

struct metrics {
    size_t count;
    double max_abs_diff, sum_abs_diff, mean_abs_diff;
    double sqnr_db; /**< 10 log10(sum of reference^2 / sum of difference^2); INFINITY if equal */
    double range;   /**< largest minus smallest reference value */
};

/** @param count >= 1. Sums are in double. */
struct metrics metrics_of(const float *reference, const float *values, size_t count);

#endif
