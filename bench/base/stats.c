#include "base/stats.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct stats stats_of(const double *values, size_t count) {
    double *sorted = need(count, sizeof *sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    struct stats s = {.count = count, .min = sorted[0], .max = sorted[count - 1]};
    s.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    for (size_t i = 0; i < count; i++)
        s.mean += sorted[i] / (double)count;
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (sorted[i] - s.mean) * (sorted[i] - s.mean);
    s.stddev = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
    s.cv = s.mean != 0 ? s.stddev / s.mean : 0;
    free(sorted);
    return s;
}
