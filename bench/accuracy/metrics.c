#include "accuracy/metrics.h"

#include <math.h>

struct metrics metrics_of(const float *reference, const float *values, size_t count) {
    struct metrics metrics = {.count = count};
    double signal = 0, noise = 0, min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        // A NaN must not hide behind fmax().
        double difference = fabs((double)values[i] - reference[i]);
        difference = isnan(difference) ? INFINITY : difference;
        metrics.sum_abs_diff += difference;
        metrics.max_abs_diff = fmax(metrics.max_abs_diff, difference);
        signal += (double)reference[i] * reference[i];
        noise += difference * difference;
        min = fmin(min, reference[i]);
        max = fmax(max, reference[i]);
    }
    metrics.mean_abs_diff = metrics.sum_abs_diff / (double)count;
    metrics.sqnr_db = 10 * log10(signal / noise);
    metrics.range = max - min;
    return metrics;
}
