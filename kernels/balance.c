/** Weights rounded so that their errors cancel within kernels and output channels. */
#include <math.h>

#include "error.h"

/** One output channel. */
typedef struct row {
    const float *weights;
    const float *scale;
    size_t group_size; /**< 0: the scale is the row's */
    int32_t qmax;
    int8_t *q;
} row;

static double row_scale(const row *r, size_t i) {
    return r->scale[r->group_size != 0 ? i / r->group_size : 0];
}

static double row_error(const row *r, size_t i) {
    return row_scale(r, i) * r->q[i] - r->weights[i];
}

/** Cancels the errors of the n values at first, first + stride, ... */
static void cancel(const row *r, size_t first, size_t n, size_t stride) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += row_error(r, first + i * stride);
    for (;;) {
        const int direction = sum > 0 ? -1 : 1;
        size_t best = 0;
        double best_step = 0, best_cost = INFINITY;
        for (size_t i = 0; i < n; i++) {
            const size_t at = first + i * stride;
            const double step = direction * row_scale(r, at);
            /* What the squares of the sum and of the value's own error change by. */
            const double gain = -step * (2 * sum + step);
            const double cost = step * (2 * row_error(r, at) + step) / gain;
            const int32_t moved = r->q[at] + direction;
            if (gain > 0 && cost < best_cost && moved >= -r->qmax && moved <= r->qmax) {
                best = at;
                best_step = step;
                best_cost = cost;
            }
        }
        if (best_step == 0)
            return;
        r->q[best] = (int8_t)(r->q[best] + direction);
        sum += best_step;
    }
}

static nm_status check(int bits, const float *weights, size_t out_channels, size_t k,
                       size_t group_size, const float *scale, const int8_t *q, nm_error *error) {
    const int32_t qmax = (1 << (bits == 8 || bits == 4 ? bits - 1 : 0)) - 1;
    if (qmax == 0)
        return NM_INVALID(error, "bits: %d is not a width of weights; use 8 or 4", bits);
    if (weights == NULL || scale == NULL || q == NULL)
        return NM_INVALID(error, "weights: a pointer is NULL; give weights, scale and q");
    if (group_size != 0 && group_size != 32)
        return NM_INVALID(error, "group_size: %zu; use 0 or 32", group_size);
    const size_t groups = group_size != 0 ? (k + group_size - 1) / group_size : 1;
    for (size_t i = 0; i < out_channels * groups; i++)
        if (!(scale[i] > 0) || !isfinite(scale[i]))
            return NM_INVALID(error, "scale: %g at %zu; give finite scales above 0", scale[i], i);
    for (size_t i = 0; i < out_channels * k; i++) {
        if (!isfinite(weights[i]))
            return NM_INVALID(error, "weights: the value at %zu is not finite; remove NaN and inf",
                              i);
        if (q[i] < -qmax || q[i] > qmax)
            return NM_INVALID(error, "q: %d at %zu is not within -%d..%d; give symmetric codes",
                              q[i], i, qmax, qmax);
    }
    return NM_OK;
}

nm_status nm_balance_weights(int bits, const float *weights, size_t out_channels, size_t taps,
                             size_t channels, size_t group_size, const float *scale, int8_t *q,
                             nm_error *error) {
    size_t count;
    if (out_channels == 0 || taps == 0 || channels == 0 ||
        __builtin_mul_overflow(taps, channels, &count) ||
        __builtin_mul_overflow(count, out_channels, &count) || count > SIZE_MAX / sizeof *weights)
        return NM_INVALID(error, "weights: %zu x %zu x %zu is empty or too large; give other sizes",
                          out_channels, taps, channels);
    const size_t k = taps * channels;
    const nm_status status = check(bits, weights, out_channels, k, group_size, scale, q, error);
    if (status != NM_OK)
        return status;
    const size_t groups = group_size != 0 ? (k + group_size - 1) / group_size : 1;
    for (size_t o = 0; o < out_channels; o++) {
        const row r = {weights + o * k, scale + o * groups, group_size, (1 << (bits - 1)) - 1,
                       q + o * k};
        for (size_t c = 0; c < channels; c++)
            cancel(&r, c, taps, channels);
        cancel(&r, 0, k, 1);
    }
    return NM_OK;
}
