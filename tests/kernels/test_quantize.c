/** Quantization against worked examples, and what it promises on random values. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtype.h"
#include "naive.h"
#include "rng.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Multipliers and roundings ------------------------------------------------------------ */

static void test_multiplier(void) {
    static const struct {
        double factor;
        int32_t multiplier, shift;
    } examples[] = {
        /* factor = multiplier x 2^(shift - 31), 2^30 <= multiplier < 2^31 */
        {0, 0, 0},
        {1, 1 << 30, 1},
        {0.5, 1 << 30, 0},
        {0.25, 1 << 30, -1},
        {0.75, 1610612736, 0},
        {1.0 / 3, 1431655765, -1},
        {0.1, 1717986918, -3},
        {0.0003, 1319413953, -11},
        {1000, 2097152000, 10},
        /* rounds up to 2^31, which is renormalized */
        {0x1.ffffffffp-1, 1 << 30, 1},
        /* the ends of the range */
        {0x1p-32, 1 << 30, -31},
        {0x1.fffffffep-33, 1 << 30, -31},
        {0x1.fffffffcp-33, 0, 0},
        {0x1p-33, 0, 0},
        {DBL_TRUE_MIN, 0, 0},
        {0x1.fffffffcp29, INT32_MAX, 30},
    };
    for (size_t i = 0; i < COUNT(examples); i++) {
        int32_t multiplier = -1, shift = -99;
        const nm_status status =
            nm_quantize_multiplier(examples[i].factor, &multiplier, &shift, NULL);
        if (!tap_ok(status == NM_OK && multiplier == examples[i].multiplier &&
                        shift == examples[i].shift,
                    "nm_quantize_multiplier(%a)", examples[i].factor))
            tap_diag("got %d, %d", multiplier, shift);
    }
    static const double invalid[] = {-1,        -DBL_TRUE_MIN, NAN,     INFINITY,
                                     -INFINITY, 0x1p30,        DBL_MAX, 0x1.ffffffffp29};
    for (size_t i = 0; i < COUNT(invalid); i++) {
        int32_t multiplier, shift;
        nm_error error = {""};
        tap_ok(nm_quantize_multiplier(invalid[i], &multiplier, &shift, &error) ==
                       NM_INVALID_ARGUMENT &&
                   strstr(error.message, "factor") != NULL,
               "nm_quantize_multiplier(%a) is refused", invalid[i]);
    }
}

static void test_tflite_rounding(void) {
    static const struct {
        int32_t acc, multiplier, shift, result;
    } examples[] = {
        /* x 0.5, the doubling high multiply: ties go up ... */
        {3, 1 << 30, 0, 2},
        {-3, 1 << 30, 0, -1},
        {1, 1 << 30, 0, 1},
        {-1, 1 << 30, 0, 0},
        /* ... x 0.5 by the right shift: ties go away from zero (multiplier 1 less 2^-31) */
        {3, INT32_MAX, -1, 2},
        {-3, INT32_MAX, -1, -2},
        {5, INT32_MAX, -1, 3},
        {-5, INT32_MAX, -1, -3},
        {-2, INT32_MAX, -2, -1},
        {-6, INT32_MAX, -2, -2},
        {6, INT32_MAX, -2, 2},
        /* twice rounded: 5/8 is 1 after both steps, 0.5 x 5 -> 3, 3 / 4 -> 1 */
        {5, 1 << 30, -2, 1},
        /* 3/8: once rounded 0, twice rounded 3 x 0.5 -> 2, 2 / 4 -> 1 */
        {3, 1 << 30, -2, 1},
        {0, INT32_MAX, 30, 0},
        {100, 0, -5, 0},
        {INT32_MAX, INT32_MAX, 0, INT32_MAX - 1},
        {INT32_MIN, INT32_MAX, 0, -INT32_MAX},
        {INT32_MIN, 1 << 30, 0, -(1 << 30)},
        {INT32_MIN, INT32_MAX, -31, -1},
        {INT32_MAX, INT32_MAX, -31, 1},
        {1 << 30, INT32_MAX, -31, 1},
        {(1 << 30) - 1, INT32_MAX, -31, 0},
        {-(1 << 30), INT32_MAX, -31, 0},
        /* left shifts wrap modulo 2^32 */
        {1, 1 << 30, 30, 1 << 29},
        {2, 1 << 30, 30, -(1 << 30)},
        {4, 1 << 30, 30, 0},
        {INT32_MIN, 1 << 30, 1, 0},
        {1000, 1 << 30, 1, 1000},
    };
    for (size_t i = 0; i < COUNT(examples); i++) {
        const int32_t result =
            nm_requantize_tflite(examples[i].acc, examples[i].multiplier, examples[i].shift);
        if (!tap_ok(result == examples[i].result, "nm_requantize_tflite(%d, %d, %d)",
                    examples[i].acc, examples[i].multiplier, examples[i].shift))
            tap_diag("got %d, not %d", result, examples[i].result);
    }
    rng r = {1};
    size_t wrong = 0;
    for (int i = 0; i < 1000000; i++) {
        const int32_t acc = (int32_t)rng_next(&r) >> rng_between(&r, 0, 31);
        const int32_t multiplier = (int32_t)(rng_next(&r) >> 33) >> rng_between(&r, 0, 31);
        const int32_t shift = (int32_t)rng_between(&r, -31, 30);
        wrong += nm_requantize_tflite(acc, multiplier, shift) !=
                 naive_requantize_tflite(acc, multiplier, shift);
    }
    tap_ok(wrong == 0, "nm_requantize_tflite equals the published steps on a million values");
}

static void test_float_rounding(void) {
    static const struct {
        int32_t acc;
        float scale;
        int32_t result;
    } examples[] = {
        /* ties go to the even neighbour */
        {1, 0.5F, 0},
        {3, 0.5F, 2},
        {5, 0.5F, 2},
        {7, 0.5F, 4},
        {-1, 0.5F, 0},
        {-3, 0.5F, -2},
        {-5, 0.5F, -2},
        {-7, 0.5F, -4},
        {10, 0.25F, 2},
        {14, 0.25F, 4},
        {11, 0.25F, 3},
        {1000, 0, 0},
        {3, -0.5F, -2},
        /* accumulators beyond 2^24 are rounded to float first */
        {16777217, 1, 16777216},
        {16777219, 1, 16777220},
        /* saturates */
        {INT32_MAX, 1, INT32_MAX},
        {INT32_MIN, 1, INT32_MIN},
        {INT32_MIN, -1, INT32_MAX},
        {1 << 30, 4, INT32_MAX},
        {-(1 << 30), 4, INT32_MIN},
        {1, FLT_MAX, INT32_MAX},
        {-2, FLT_MAX, INT32_MIN},
        {INT32_MAX, FLT_TRUE_MIN, 0},
    };
    for (size_t i = 0; i < COUNT(examples); i++) {
        const int32_t result = nm_requantize_float(examples[i].acc, examples[i].scale);
        if (!tap_ok(result == examples[i].result, "nm_requantize_float(%d, %a)", examples[i].acc,
                    (double)examples[i].scale))
            tap_diag("got %d, not %d", result, examples[i].result);
    }
    rng r = {1};
    size_t wrong = 0;
    for (int i = 0; i < 1000000; i++) {
        const int32_t acc = (int32_t)rng_next(&r) >> rng_between(&r, 0, 31);
        const float scale = ldexpf(rng_unit(&r), (int)rng_between(&r, -32, 4));
        wrong += nm_requantize_float(acc, scale) != naive_requantize_float(acc, scale);
    }
    tap_ok(wrong == 0, "nm_requantize_float rounds half to even on a million values");
}

/* ---- int4 --------------------------------------------------------------------------------- */

static void test_pack(void) {
    static const int8_t ordered[] = {1, 2, 3, 4}, ends[] = {-8, 7, -1};
    uint8_t packed[3] = {0xaa, 0xaa, 0xaa};
    nm_pack_int4(ordered, 4, packed);
    tap_ok(packed[0] == 0x21 && packed[1] == 0x43 && packed[2] == 0xaa,
           "[1, 2, 3, 4] packs to [0x21, 0x43] and no further");
    nm_pack_int4(ends, 3, packed);
    tap_ok(packed[0] == 0x78 && packed[1] == 0x0f && packed[2] == 0xaa,
           "[-8, 7, -1] packs to [0x78, 0x0f]");
    int8_t values[4] = {99, 99, 99, 99};
    nm_unpack_int4(packed, 3, NM_INT4, values);
    tap_ok(values[0] == -8 && values[1] == 7 && values[2] == -1 && values[3] == 99,
           "int4 unpacks with its sign");
    nm_unpack_int4(packed, 3, NM_UINT4, values);
    tap_ok(values[0] == 8 && values[1] == 7 && values[2] == 15 && values[3] == 99,
           "uint4 unpacks without");
    nm_pack_int4(ordered, 0, packed);
    tap_ok(packed[0] == 0x78, "packing nothing writes nothing");

    rng r = {2};
    bool same = true;
    for (size_t n = 1; n <= 65; n++) {
        int8_t in[65], out[65];
        uint8_t nibbles[33];
        for (size_t i = 0; i < n; i++)
            in[i] = (int8_t)rng_between(&r, -8, 7);
        nm_pack_int4(in, n, nibbles);
        nm_unpack_int4(nibbles, n, NM_INT4, out);
        same &= memcmp(in, out, n) == 0;
        for (size_t i = 0; i < n; i++)
            same &= get_int(NM_INT4, nibbles, i) == in[i];
    }
    tap_ok(same, "round trips of 1 to 65 values");
}

/* ---- Ranges ------------------------------------------------------------------------------- */

static void test_ranges(void) {
    static const struct {
        float min, max;
        int32_t qmin, qmax;
        float scale;
        int32_t zero_point;
    } examples[] = {
        {0, 255, 0, 255, 1, 0},
        {-128, 127, -128, 127, 1, 0},
        {0, 6, 0, 255, 6.0F / 255, 0},
        {-1, 1, 0, 255, 2.0F / 255, 128},
        {-1, 1, -128, 127, 2.0F / 255, 0},
        {-1, 2, 0, 15, 0.2F, 5},
        {2, 3, 0, 15, 0.2F, 0},    /* widened to hold 0 */
        {-3, -2, 0, 15, 0.2F, 15}, /* likewise */
        {0, 0, 0, 255, 1, 0},      /* empty */
        {0, 0, -128, 127, 1, -128},
        {NAN, NAN, 0, 255, 1, 0},
    };
    for (size_t i = 0; i < COUNT(examples); i++) {
        const nm_qparams p = nm_qparams_from_range(examples[i].min, examples[i].max,
                                                   examples[i].qmin, examples[i].qmax);
        if (!tap_ok(p.scale == examples[i].scale && p.zero_point == examples[i].zero_point &&
                        p.qmin == examples[i].qmin && p.qmax == examples[i].qmax,
                    "nm_qparams_from_range(%g, %g, %d, %d)", (double)examples[i].min,
                    (double)examples[i].max, examples[i].qmin, examples[i].qmax))
            tap_diag("got scale %g, zero point %d", (double)p.scale, p.zero_point);
    }
    static const float hard[][2] = {{-FLT_MAX, FLT_MAX}, {0, FLT_TRUE_MIN}, {-INFINITY, INFINITY},
                                    {-FLT_TRUE_MIN, 0},  {NAN, 1},          {0, INFINITY},
                                    {1e-30F, FLT_MIN}};
    for (size_t i = 0; i < COUNT(hard); i++) {
        const nm_qparams p = nm_qparams_from_range(hard[i][0], hard[i][1], 0, 15);
        tap_ok(p.scale > 0 && isfinite(p.scale) && p.zero_point >= 0 && p.zero_point <= 15,
               "nm_qparams_from_range(%g, %g) stays valid", (double)hard[i][0], (double)hard[i][1]);
    }
}

static void test_quantize(void) {
    static const float x[] = {0,    0.5F,  1.5F,    -0.5F,     -1.5F,    2.4F, 2.6F,
                              1000, -1000, FLT_MAX, -INFINITY, INFINITY, NAN};
    static const int8_t expected[] = {3, 3, 5, 3, 1, 5, 6, 127, -128, 127, -128, 127, -128};
    int8_t q[COUNT(x)];
    nm_quantize(x, COUNT(x), (nm_qparams){1, 3, -128, 127}, q);
    tap_ok(memcmp(q, expected, sizeof q) == 0,
           "nm_quantize rounds half to even, saturates, and takes NaN to the minimum");
    static const float unsigned_x[] = {-1, 0, 199.4F, 255, 256};
    static const uint8_t unsigned_expected[] = {0, 0, 199, 255, 255};
    uint8_t u[COUNT(unsigned_x)];
    nm_quantize(unsigned_x, COUNT(unsigned_x), (nm_qparams){1, 0, 0, 255}, u);
    tap_ok(memcmp(u, unsigned_expected, sizeof u) == 0, "nm_quantize fills the whole of uint8");
}

/* ---- Schemes ------------------------------------------------------------------------------ */

static float bell(rng *r) {
    float sum = 0;
    for (int i = 0; i < 8; i++)
        sum += rng_unit(r);
    return sum;
}

static double squared_error(const float *x, size_t n, nm_qparams p) {
    double sum = 0;
    uint8_t *q = malloc(n);
    nm_quantize(x, n, p, q);
    for (size_t i = 0; i < n; i++) {
        const int value = p.qmin < 0 ? (int8_t)q[i] : q[i];
        const double error = x[i] - (double)p.scale * (value - p.zero_point);
        sum += error * error;
    }
    free(q);
    return sum;
}

static void test_choose(void) {
    static const size_t sizes[] = {1, 2, 17, 1000, 4096, 4097, 50000};
    static const int32_t ranges[][2] = {{0, 255}, {-128, 127}, {0, 15}, {-8, 7}};
    bool never_worse = true, equal_plain = true, much_better = true;
    rng r = {3};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t j = 0; j < COUNT(ranges); j++)
            for (int shape = 0; shape < 3; shape++) {
                const size_t n = sizes[i];
                const int32_t qmin = ranges[j][0], qmax = ranges[j][1];
                float *x = malloc(n * sizeof *x);
                for (size_t k = 0; k < n; k++) {
                    const float value = bell(&r);
                    /* a bell, a bell after ReLU, and a bell with outliers */
                    x[k] = shape == 1 && value < 0 ? 0 : value;
                    x[k] *= shape == 2 && rng_next(&r) % 1024 == 0 ? 20.0F : 1.0F;
                }
                const nm_qparams plain = nm_qparams_choose(NM_SCHEME_PER_CHANNEL, x, n, qmin, qmax);
                const nm_qparams clipped = nm_qparams_choose(NM_SCHEME_MSE, x, n, qmin, qmax);
                float min = x[0], max = x[0];
                for (size_t k = 0; k < n; k++) {
                    min = fminf(min, x[k]);
                    max = fmaxf(max, x[k]);
                }
                const nm_qparams whole = nm_qparams_from_range(min, max, qmin, qmax);
                equal_plain &= plain.scale == whole.scale && plain.zero_point == whole.zero_point;
                const double before = squared_error(x, n, plain);
                const double after = squared_error(x, n, clipped);
                never_worse &= after <= before;
                if (shape == 2 && qmax - qmin == 15 && n == 50000)
                    much_better &= after < before / 2;
                free(x);
            }
    tap_ok(equal_plain, "nm_qparams_choose covers the range of the plain schemes");
    tap_ok(never_worse, "nm_qparams_choose of mse is never worse than the whole range");
    tap_ok(much_better, "nm_qparams_choose of mse halves the error of 4 bits with outliers");
}

enum { ROWS = 5, LENGTH = 75, GROUPS = (LENGTH + 31) / 32 };

typedef struct quantized {
    int8_t q[ROWS * LENGTH];
    float scale[ROWS * GROUPS];
    int32_t zero_point;
} quantized;

static bool is_group32(nm_scheme scheme) {
    return scheme == NM_SCHEME_GROUP32 || scheme == NM_SCHEME_GROUP32_MSE;
}

static double weights_error(nm_scheme scheme, const float *w, const quantized *z, double *worst) {
    double sum = 0;
    *worst = 0;
    for (size_t i = 0; i < ROWS * LENGTH; i++) {
        const size_t row = i / LENGTH, group = i % LENGTH / 32;
        const double scale =
            (double)(is_group32(scheme) ? z->scale[row * GROUPS + group] : z->scale[row]);
        const double error = w[i] - scale * (z->q[i] - z->zero_point);
        sum += error * error;
        *worst = fmax(*worst, fabs(error) / scale);
    }
    return sum;
}

static void test_weights(void) {
    float w[ROWS * LENGTH];
    rng r = {4};
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < LENGTH; i++)
            w[row * LENGTH + i] = bell(&r) * (float)(row + 1);
    for (int bits = 4; bits <= 8; bits += 4) {
        double errors[NM_SCHEME_COUNT] = {0};
        for (int scheme = 0; scheme < NM_SCHEME_COUNT; scheme++) {
            quantized z;
            nm_error error = {""};
            const nm_status status = nm_quantize_weights((nm_scheme)scheme, bits, w, ROWS, LENGTH,
                                                         z.q, z.scale, &z.zero_point, &error);
            if (bits == 8 && is_group32((nm_scheme)scheme)) {
                tap_ok(status == NM_INVALID_ARGUMENT, "%s is refused at 8 bits",
                       nm_scheme_name((nm_scheme)scheme));
                continue;
            }
            const int32_t least =
                scheme == NM_SCHEME_SEED ? -(1 << (bits - 1)) : 1 - (1 << (bits - 1));
            const int32_t most = (1 << (bits - 1)) - 1;
            bool in_range = true, reaches_end = false;
            for (size_t i = 0; i < ROWS * LENGTH; i++) {
                in_range &= z.q[i] >= least && z.q[i] <= most;
                reaches_end |= z.q[i] == least || z.q[i] == most;
            }
            double worst;
            errors[scheme] = weights_error((nm_scheme)scheme, w, &z, &worst);
            const char *name = nm_scheme_name((nm_scheme)scheme);
            tap_ok(status == NM_OK && in_range && reaches_end, "%s, %d bits: values in range", name,
                   bits);
            if (scheme == NM_SCHEME_SEED)
                tap_ok(worst <= 1, "%s, %d bits: within one step", name, bits);
            else if (scheme < NM_SCHEME_MSE)
                tap_ok(worst <= 0.5001 && z.zero_point == 0, "%s, %d bits: within half a step",
                       name, bits);
        }
        tap_ok(errors[NM_SCHEME_MSE] <= errors[NM_SCHEME_PER_CHANNEL] &&
                   errors[NM_SCHEME_PER_CHANNEL] < errors[NM_SCHEME_SEED] &&
                   errors[NM_SCHEME_GROUP32_MSE] <= errors[NM_SCHEME_GROUP32],
               "%d bits: mse <= per-channel < seed, group32+mse <= group32", bits);
    }
}

/** By hand: [-1, 2] in 4 bits is scale 0.2, zero point 5 of 0..15, stored 8 lower. */
static void test_seed_weights(void) {
    static const float w[] = {-1, 0, 2, 1};
    static const int8_t expected[] = {-8, -3, 7, 2};
    int8_t q[4];
    float scale[2];
    int32_t zero_point;
    const nm_status status =
        nm_quantize_weights(NM_SCHEME_SEED, 4, w, 2, 2, q, scale, &zero_point, NULL);
    tap_ok(status == NM_OK && memcmp(q, expected, 4) == 0 && zero_point == -3 && scale[0] == 0.2F &&
               scale[1] == 0.2F,
           "seed weights are the unsigned ones less half the range");
    static const float zeros[64] = {0};
    int8_t none[64];
    float scales[2];
    const nm_status of_zeros = nm_quantize_weights(NM_SCHEME_GROUP32_MSE, 4, zeros, 1, 64, none,
                                                   scales, &zero_point, NULL);
    bool all_zero = scales[0] == 1 && scales[1] == 1;
    for (size_t i = 0; i < 64; i++)
        all_zero &= none[i] == 0;
    tap_ok(of_zeros == NM_OK && all_zero, "weights of zero have scale 1");
}

static void test_bad_weights(void) {
    static const float w[4] = {1, 2, 3, 4}, nan_w[4] = {1, 2, NAN, 4}, inf_w[4] = {1, INFINITY};
    const struct {
        const char *about;
        nm_scheme scheme;
        int bits;
        const float *weights;
        size_t rows, length;
        const char *word;
    } bad[] = {
        {"unknown scheme", NM_SCHEME_COUNT, 8, w, 2, 2, "scheme"},
        {"negative scheme", (nm_scheme)-1, 8, w, 2, 2, "scheme"},
        {"5 bits", NM_SCHEME_SEED, 5, w, 2, 2, "bits"},
        {"no weights", NM_SCHEME_SEED, 8, NULL, 2, 2, "weights"},
        {"no rows", NM_SCHEME_SEED, 8, w, 0, 2, "weights"},
        {"no columns", NM_SCHEME_SEED, 8, w, 2, 0, "weights"},
        {"too many", NM_SCHEME_SEED, 8, w, SIZE_MAX / 2, 3, "weights"},
        {"NaN", NM_SCHEME_MSE, 8, nan_w, 2, 2, "finite"},
        {"infinity", NM_SCHEME_SEED, 4, inf_w, 2, 2, "finite"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int8_t q[4];
        float scale[4];
        int32_t zero_point;
        nm_error error = {""};
        const nm_status status =
            nm_quantize_weights(bad[i].scheme, bad[i].bits, bad[i].weights, bad[i].rows,
                                bad[i].length, q, scale, &zero_point, &error);
        if (!tap_ok(status == NM_INVALID_ARGUMENT && strstr(error.message, bad[i].word) != NULL,
                    "nm_quantize_weights refuses %s", bad[i].about))
            tap_diag("%s", error.message);
    }
}

static void test_names(void) {
    static const char *const names[] = {"seed", "per-channel", "group32", "mse", "group32+mse"};
    bool right = nm_scheme_name(NM_SCHEME_COUNT) == NULL && nm_scheme_name((nm_scheme)-1) == NULL;
    for (int i = 0; i < NM_SCHEME_COUNT; i++)
        right &= strcmp(nm_scheme_name((nm_scheme)i), names[i]) == 0;
    tap_ok(right, "nm_scheme_name");
}

int main(void) {
    tap_catch_crashes();
    test_multiplier();
    test_tflite_rounding();
    test_float_rounding();
    test_pack();
    test_ranges();
    test_quantize();
    test_choose();
    test_weights();
    test_seed_weights();
    test_bad_weights();
    test_names();
    return tap_done();
}
