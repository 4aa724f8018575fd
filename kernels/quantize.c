/** From real numbers to small integers: ranges, schemes, packing and requantization factors. */
#include <float.h>
#include <math.h>

#include "error.h"
#include "requantize.h"

/** Clip ratios tried on each end of a range: 1, 1 - 1/CLIP_STEPS, ..., 1/CLIP_STEPS. */
#define CLIP_STEPS 100
/** More values than this are searched through the means of as many equal bins. */
#define CLIP_BINS 4096
/** The affine search alternates between the two ends of the range; it settles in two or three. */
#define CLIP_ROUNDS 4
#define GROUP_SIZE 32

const char *nm_scheme_name(nm_scheme scheme) {
    static const char *const names[NM_SCHEME_COUNT] = {
        [NM_SCHEME_SEED] = "seed",
        [NM_SCHEME_PER_CHANNEL] = "per-channel",
        [NM_SCHEME_GROUP32] = "group32",
        [NM_SCHEME_MSE] = "mse",
        [NM_SCHEME_GROUP32_MSE] = "group32+mse",
    };
    return (unsigned)scheme < NM_SCHEME_COUNT ? names[scheme] : NULL;
}

static bool is_mse(nm_scheme scheme) {
    return scheme == NM_SCHEME_MSE || scheme == NM_SCHEME_GROUP32_MSE;
}

static bool is_group32(nm_scheme scheme) {
    return scheme == NM_SCHEME_GROUP32 || scheme == NM_SCHEME_GROUP32_MSE;
}

/* ---- Ranges ------------------------------------------------------------------------------- */

/** A positive, finite, normal float: subnormal scales would lose the precision of x / scale. */
static float valid_scale(double scale) {
    if (!(scale > 0))
        return 1;
    return (float)fmin(fmax(scale, FLT_MIN), FLT_MAX);
}

nm_qparams nm_qparams_from_range(float min, float max, int32_t qmin, int32_t qmax) {
    /* fmin and fmax drop a NaN; the limits stand in for infinities. */
    const double low = fmax(fmin(min, 0), -FLT_MAX);
    const double high = fmin(fmax(max, 0), FLT_MAX);
    const double step = (high - low) / ((double)qmax - qmin);
    /* By the step before it is rounded to float, so that ties are ties. */
    const double zero = step > 0 ? rint(qmin - low / step) : qmin;
    return (nm_qparams){
        .scale = valid_scale(step),
        .zero_point = (int32_t)fmin(fmax(zero, qmin), qmax),
        .qmin = qmin,
        .qmax = qmax,
    };
}

/** Symmetric parameters whose qmax stands for the real number limit. */
static nm_qparams symmetric(float limit, int32_t qmax) {
    return (nm_qparams){valid_scale((double)limit / qmax), 0, -qmax, qmax};
}

/** The bounds make the rounded value fit any integer; NaN takes the lower one. */
static int32_t quantize_one(float x, nm_qparams params) {
    const float low = (float)((int64_t)params.qmin - params.zero_point);
    const float high = (float)((int64_t)params.qmax - params.zero_point);
    float value = x / params.scale;
    value = value > low ? value : low;
    value = value < high ? value : high;
    return (int32_t)lrintf(value) + params.zero_point;
}

static void find_range(const float *x, size_t n, float *min, float *max) {
    *min = *max = x[0];
    for (size_t i = 1; i < n; i++) {
        *min = x[i] < *min ? x[i] : *min;
        *max = x[i] > *max ? x[i] : *max;
    }
}

static float find_limit(const float *x, size_t n) {
    float min, max;
    find_range(x, n, &min, &max);
    return fmaxf(fabsf(min), fabsf(max));
}

/** Sum of weight * (x - dequantize(quantize(x)))^2; weight NULL means 1 each. */
static double squared_error(const float *x, const float *weight, size_t n, nm_qparams params) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t q = quantize_one(x[i], params) - params.zero_point;
        const double error = x[i] - (double)params.scale * q;
        sum += (weight != NULL ? weight[i] : 1) * error * error;
    }
    return sum;
}

/* ---- Clipping by squared error ------------------------------------------------------------ */
/* The clipping range is searched for directly, per tensor or per row, as in Choukroun et al.,
 * "Low-bit Quantization of Neural Networks for Efficient Inference", 2019, section 3 (there by a
 * line search over the scale; here over ratios of the range, which is deterministic). */

static nm_qparams clip_symmetric(const float *x, size_t n, int32_t qmax) {
    const float limit = find_limit(x, n);
    nm_qparams best = symmetric(limit, qmax);
    double best_error = squared_error(x, NULL, n, best);
    for (int step = CLIP_STEPS - 1; step > 0; step--) {
        const nm_qparams candidate = symmetric(limit * (float)step / CLIP_STEPS, qmax);
        const double error = squared_error(x, NULL, n, candidate);
        if (error < best_error) {
            best = candidate;
            best_error = error;
        }
    }
    return best;
}

/** Alternates line searches over the upper and the lower end until neither moves. */
static nm_qparams search_affine(const float *x, const float *weight, size_t n, float min, float max,
                                int32_t qmin, int32_t qmax) {
    const float limits[2] = {min, max};
    int steps[2] = {CLIP_STEPS, CLIP_STEPS};
    nm_qparams best = nm_qparams_from_range(min, max, qmin, qmax);
    double best_error = squared_error(x, weight, n, best);
    bool moved = true;
    for (int round = 0; round < CLIP_ROUNDS && moved; round++) {
        moved = false;
        for (int end = 1; end >= 0; end--) {
            int trial[2] = {steps[0], steps[1]};
            for (trial[end] = CLIP_STEPS; trial[end] > 0; trial[end]--) {
                const nm_qparams candidate =
                    nm_qparams_from_range(limits[0] * (float)trial[0] / CLIP_STEPS,
                                          limits[1] * (float)trial[1] / CLIP_STEPS, qmin, qmax);
                const double error = squared_error(x, weight, n, candidate);
                if (error < best_error) {
                    best = candidate;
                    best_error = error;
                    steps[end] = trial[end];
                    moved = true;
                }
            }
        }
    }
    return best;
}

/**
 * Equal bins over [min, max], each represented by its mean and count: within a bin the spread
 * around the mean adds the same error whatever the parameters, so that only values whose bin
 * straddles a rounding boundary are approximated.
 * @return the number of bins that are not empty.
 */
static size_t summarize(const float *x, size_t n, float min, float max, float mean[CLIP_BINS],
                        float count[CLIP_BINS]) {
    double sums[CLIP_BINS] = {0};
    size_t counts[CLIP_BINS] = {0};
    const double width = ((double)max - min) / CLIP_BINS;
    for (size_t i = 0; i < n; i++) {
        const size_t bin = (size_t)fmin(((double)x[i] - min) / width, CLIP_BINS - 1);
        sums[bin] += x[i];
        counts[bin]++;
    }
    size_t used = 0;
    for (size_t bin = 0; bin < CLIP_BINS; bin++) {
        if (counts[bin] == 0)
            continue;
        mean[used] = (float)(sums[bin] / (double)counts[bin]);
        count[used] = (float)counts[bin];
        used++;
    }
    return used;
}

static nm_qparams clip_affine(const float *x, size_t n, float min, float max, int32_t qmin,
                              int32_t qmax) {
    if (n <= CLIP_BINS || !(min < max))
        return search_affine(x, NULL, n, min, max, qmin, qmax);
    float mean[CLIP_BINS], count[CLIP_BINS];
    const size_t bins = summarize(x, n, min, max, mean, count);
    const nm_qparams clipped = search_affine(mean, count, bins, min, max, qmin, qmax);
    const nm_qparams whole = nm_qparams_from_range(min, max, qmin, qmax);
    /* The bins approximate; the promise that clipping never costs accuracy is kept exactly. */
    return squared_error(x, NULL, n, clipped) < squared_error(x, NULL, n, whole) ? clipped : whole;
}

nm_qparams nm_qparams_choose(nm_scheme scheme, const float *x, size_t n, int32_t qmin,
                             int32_t qmax) {
    float min, max;
    find_range(x, n, &min, &max);
    return is_mse(scheme) ? clip_affine(x, n, min, max, qmin, qmax)
                          : nm_qparams_from_range(min, max, qmin, qmax);
}

/* ---- Values ------------------------------------------------------------------------------- */

void nm_quantize(const float *x, size_t n, nm_qparams params, void *q) {
    /* Both types store the low eight bits. */
    uint8_t *bytes = q;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)quantize_one(x[i], params);
}

static void quantize_row(bool mse, const float *x, size_t n, int32_t qmax, int8_t *q,
                         float *scale) {
    const nm_qparams params = mse ? clip_symmetric(x, n, qmax) : symmetric(find_limit(x, n), qmax);
    nm_quantize(x, n, params, q);
    *scale = params.scale;
}

/** The course report's scheme is unsigned, 0..2^bits - 1; stored signed, half the range lower. */
static void quantize_seed(int bits, const float *weights, size_t out_channels, size_t k, int8_t *q,
                          float *scale, int32_t *zero_point) {
    const int32_t levels = 1 << bits, half = levels / 2;
    float min, max;
    find_range(weights, out_channels * k, &min, &max);
    nm_qparams params = nm_qparams_from_range(min, max, 0, levels - 1);
    params.zero_point -= half;
    params.qmin -= half;
    params.qmax -= half;
    nm_quantize(weights, out_channels * k, params, q);
    for (size_t o = 0; o < out_channels; o++)
        scale[o] = params.scale;
    *zero_point = params.zero_point;
}

static nm_status check_weights(nm_scheme scheme, int bits, const float *weights,
                               size_t out_channels, size_t k, const int8_t *q, const float *scale,
                               const int32_t *zero_point, nm_error *error) {
    if (nm_scheme_name(scheme) == NULL)
        return NM_INVALID(error, "scheme: %d is not a scheme; use one of nm_scheme", (int)scheme);
    if (bits != 8 && bits != 4)
        return NM_INVALID(error, "bits: %d is not a width of weights; use 8 or 4", bits);
    if (is_group32(scheme) && bits != 4)
        return NM_INVALID(error, "scheme: %s is for 4-bit weights; use another or 4 bits",
                          nm_scheme_name(scheme));
    if (weights == NULL || q == NULL || scale == NULL || zero_point == NULL)
        return NM_INVALID(error,
                          "weights: a pointer is NULL; give weights, q, scale and zero_point");
    if (out_channels == 0 || k == 0)
        return NM_INVALID(error, "weights: %zu x %zu is empty; give at least 1 x 1", out_channels,
                          k);
    if (k > SIZE_MAX / sizeof *weights / out_channels)
        return NM_INVALID(error, "weights: %zu x %zu does not fit in memory; give fewer",
                          out_channels, k);
    for (size_t i = 0; i < out_channels * k; i++)
        if (!isfinite(weights[i]))
            return NM_INVALID(error, "weights: the value at %zu is not finite; remove NaN and inf",
                              i);
    return NM_OK;
}

nm_status nm_quantize_weights(nm_scheme scheme, int bits, const float *weights, size_t out_channels,
                              size_t k, int8_t *q, float *scale, int32_t *zero_point,
                              nm_error *error) {
    const nm_status status =
        check_weights(scheme, bits, weights, out_channels, k, q, scale, zero_point, error);
    if (status != NM_OK)
        return status;
    if (scheme == NM_SCHEME_SEED) {
        quantize_seed(bits, weights, out_channels, k, q, scale, zero_point);
        return NM_OK;
    }
    *zero_point = 0;
    const int32_t qmax = (1 << (bits - 1)) - 1;
    const size_t group = is_group32(scheme) ? GROUP_SIZE : k;
    for (size_t o = 0; o < out_channels; o++) {
        for (size_t start = 0; start < k; start += group) {
            const size_t n = group < k - start ? group : k - start;
            const size_t at = o * k + start;
            quantize_row(is_mse(scheme), weights + at, n, qmax, q + at, scale++);
        }
    }
    return NM_OK;
}

/* ---- int4 --------------------------------------------------------------------------------- */

void nm_pack_int4(const void *values, size_t n, uint8_t *packed) {
    const uint8_t *bytes = values;
    for (size_t i = 0; i + 1 < n; i += 2)
        packed[i / 2] = (uint8_t)((bytes[i] & 0xf) | (bytes[i + 1] << 4));
    if (n % 2 != 0)
        packed[n / 2] = bytes[n - 1] & 0xf;
}

void nm_unpack_int4(const uint8_t *packed, size_t n, nm_dtype type, void *values) {
    /* Flipping the sign bit and subtracting its weight extends the sign; 0 leaves all as it is. */
    const uint8_t sign = type == NM_INT4 ? 8 : 0;
    uint8_t *restrict bytes = values;
    for (size_t i = 0; i < n / 2; i++) {
        bytes[2 * i] = (uint8_t)(((packed[i] & 0xf) ^ sign) - sign);
        bytes[2 * i + 1] = (uint8_t)(((packed[i] >> 4) ^ sign) - sign);
    }
    if (n % 2 != 0)
        bytes[n - 1] = (uint8_t)(((packed[n / 2] & 0xf) ^ sign) - sign);
}

/* ---- Requantization ----------------------------------------------------------------------- */

nm_status nm_quantize_multiplier(double factor, int32_t *multiplier, int32_t *shift,
                                 nm_error *error) {
    int exponent = 0;
    int64_t fixed = 0;
    if (factor >= 0 && isfinite(factor)) {
        fixed = (int64_t)round(frexp(factor, &exponent) * 0x1p31);
        if (fixed == INT64_C(1) << 31) {
            fixed /= 2;
            exponent++;
        }
    }
    if (!(factor >= 0) || !isfinite(factor) || exponent > 30)
        return NM_INVALID(
            error, "factor: %g cannot be a multiplier and shift; give 0 <= factor < 2^30", factor);
    if (exponent < -31) {
        fixed = 0;
        exponent = 0;
    }
    *multiplier = (int32_t)fixed;
    *shift = exponent;
    return NM_OK;
}

int32_t nm_requantize_tflite(int32_t acc, int32_t multiplier, int32_t shift) {
    return nm_round_tflite(acc, multiplier, shift);
}

int32_t nm_requantize_float(int32_t acc, float scale) { return nm_round_float(acc, scale); }
