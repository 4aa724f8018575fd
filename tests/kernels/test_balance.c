/** What nm_balance_weights() promises, on random weights of every symmetric scheme. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "narrowmac.h"
#include "rng.h"
#include "tap.h"

enum { MAX_WEIGHTS = 4 * 25 * 70 };

typedef struct layer {
    size_t out_channels, taps, channels;
} layer;

static const layer layers[] = {{1, 1, 1},  {3, 1, 64},  {4, 9, 1},
                               {2, 25, 3}, {4, 25, 32}, {3, 9, 70}};
enum { LAYER_COUNT = sizeof layers / sizeof *layers };

static float weights[MAX_WEIGHTS];
static float scale[MAX_WEIGHTS];
static int8_t before[MAX_WEIGHTS], after[MAX_WEIGHTS];

static double scale_of(const layer *l, size_t group_size, size_t o, size_t i) {
    const size_t k = l->taps * l->channels;
    return group_size != 0 ? scale[o * ((k + 31) / 32) + i / 32] : scale[o];
}

static double error_of(const layer *l, size_t group_size, const int8_t *q, size_t o, size_t i) {
    const size_t at = o * l->taps * l->channels + i;
    return scale_of(l, group_size, o, i) * q[at] - weights[at];
}

/** |sum of errors| over the taps of one kernel, or over a whole row. */
static double imbalance(const layer *l, size_t group_size, const int8_t *q, size_t o, size_t first,
                        size_t n, size_t stride) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += error_of(l, group_size, q, o, first + i * stride);
    return fabs(sum);
}

/** Whether one step of some code would bring the row's sum nearer to zero. */
static bool can_improve(const layer *l, size_t group_size, int qmax, size_t o) {
    const size_t k = l->taps * l->channels;
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += error_of(l, group_size, after, o, i);
    const int direction = sum > 0 ? -1 : 1;
    for (size_t i = 0; i < k; i++) {
        const double step = scale_of(l, group_size, o, i);
        const int moved = after[o * k + i] + direction;
        if (abs(moved) <= qmax && fabs(sum + direction * step) < fabs(sum) * (1 - 1e-9))
            return true;
    }
    return false;
}

static void test_scheme(const layer *l, nm_scheme scheme, int bits) {
    const size_t k = l->taps * l->channels, n = l->out_channels * k;
    const bool grouped = scheme == NM_SCHEME_GROUP32 || scheme == NM_SCHEME_GROUP32_MSE;
    const size_t group_size = grouped ? 32 : 0;
    const int qmax = bits == 8 ? 127 : 7;
    rng r = rng_named(11, nm_scheme_name(scheme));
    for (size_t i = 0; i < n; i++)
        weights[i] = rng_unit(&r) * rng_unit(&r) + 0.2F * rng_unit(&r);
    int32_t zero_point;
    nm_error error = {""};
    if (nm_quantize_weights(scheme, bits, weights, l->out_channels, k, before, scale, &zero_point,
                            &error) != NM_OK)
        tap_diag("%s", error.message);
    memcpy(after, before, n);
    const nm_status status = nm_balance_weights(bits, weights, l->out_channels, l->taps,
                                                l->channels, group_size, scale, after, &error);
    double kernels[2] = {0, 0};
    bool in_range = true, settled = true;
    for (size_t o = 0; o < l->out_channels; o++) {
        settled &= !can_improve(l, group_size, qmax, o);
        for (size_t i = 0; i < k; i++)
            in_range &= abs(after[o * k + i]) <= qmax;
        for (size_t c = 0; c < l->channels; c++) {
            kernels[0] += imbalance(l, group_size, before, o, c, l->taps, l->channels);
            kernels[1] += imbalance(l, group_size, after, o, c, l->taps, l->channels);
        }
    }
    const char *name = nm_scheme_name(scheme);
    tap_ok(status == NM_OK && in_range, "%s, %d bits, %zu x %zu x %zu: codes stay in range", name,
           bits, l->out_channels, l->taps, l->channels);
    tap_ok(settled, "no step brings an output channel's errors nearer to zero");
    if (!tap_ok(l->taps == 1 || kernels[1] <= kernels[0],
                "the errors of kernels cancel better than rounded to nearest"))
        tap_diag("%g after, %g before", kernels[1], kernels[0]);
}

/** 0.4 + 0.4 + 0.4 rounds to 0, though two steps short of nothing: one of them must go up. */
static void test_example(void) {
    static const float values[4] = {0.4F, 0.4F, 0.45F, -0.1F};
    static const float one = 1;
    int8_t q[4] = {0, 0, 0, 0};
    const nm_status status = nm_balance_weights(4, values, 1, 4, 1, 0, &one, q, NULL);
    tap_ok(status == NM_OK && q[0] == 0 && q[1] == 0 && q[2] == 1 && q[3] == 0,
           "the value nearest to its next code moves");
}

static void test_invalid(void) {
    static const float values[2] = {1, 2}, bad[2] = {1, NAN}, one = 1, zero = 0;
    int8_t q[2] = {1, 2}, wide[2] = {1, 8};
    const struct {
        const char *what;
        nm_status status;
    } calls[] = {
        {"bits", nm_balance_weights(5, values, 1, 2, 1, 0, &one, q, NULL)},
        {"no taps", nm_balance_weights(4, values, 1, 0, 1, 0, &one, q, NULL)},
        {"too many", nm_balance_weights(4, values, SIZE_MAX, 2, 2, 0, &one, q, NULL)},
        {"group size", nm_balance_weights(4, values, 1, 2, 1, 16, &one, q, NULL)},
        {"scale", nm_balance_weights(4, values, 1, 2, 1, 0, &zero, q, NULL)},
        {"NaN", nm_balance_weights(4, bad, 1, 2, 1, 0, &one, q, NULL)},
        {"code", nm_balance_weights(4, values, 1, 2, 1, 0, &one, wide, NULL)},
        {"NULL", nm_balance_weights(4, values, 1, 2, 1, 0, &one, NULL, NULL)},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        tap_ok(calls[i].status == NM_INVALID_ARGUMENT, "refused: %s", calls[i].what);
}

int main(void) {
    tap_catch_crashes();
    static const nm_scheme four_bits[] = {NM_SCHEME_PER_CHANNEL, NM_SCHEME_GROUP32, NM_SCHEME_MSE,
                                          NM_SCHEME_GROUP32_MSE};
    for (size_t l = 0; l < LAYER_COUNT; l++) {
        for (size_t s = 0; s < 4; s++)
            test_scheme(&layers[l], four_bits[s], 4);
        test_scheme(&layers[l], NM_SCHEME_PER_CHANNEL, 8);
        test_scheme(&layers[l], NM_SCHEME_MSE, 8);
    }
    test_example();
    test_invalid();
    return tap_done();
}
