/** Statistics of repeated measurements. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

struct stats {
    size_t count;
    double min, max, mean, median;
    double stddev; /**< of the sample (n - 1); 0 for one value */
    double cv;     /**< coefficient of variation: stddev / mean; 0 where the mean is 0 */
};

/** @param values count >= 1 finite values; left as they are. */
struct stats stats_of(const double *values, size_t count);

#endif
