/**
 * How an int32 accumulator becomes a small integer: the two roundings, for the kernels to inline.
 *
 * Zero point and clamp are the caller's: clamp the result to [min - zero_point, max - zero_point]
 * first and add the zero point after, so that no addition can overflow.
 */
#ifndef NM_REQUANTIZE_H
#define NM_REQUANTIZE_H

#include <math.h>
#include <stdint.h>

/**
 * gemmlowp's SaturatingRoundingDoublingHighMul for b >= 0, where nothing can saturate: its
 * truncating division of a nudged product equals one floor for either sign of a.
 */
static inline int32_t nm_doubling_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/** gemmlowp's RoundingDivideByPOT: x / 2^exponent, ties away from zero; 0 <= exponent <= 31. */
static inline int32_t nm_rounding_divide_by_pot(int32_t x, int exponent) {
    const int32_t mask = (int32_t)((INT64_C(1) << exponent) - 1);
    const int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> exponent) + ((x & mask) > threshold);
}

/** NM_ROUNDING_TFLITE. A left shift wraps modulo 2^32, as the accumulator itself does. */
static inline int32_t nm_round_tflite(int32_t acc, int32_t multiplier, int32_t shift) {
    const int left = shift > 0 ? shift : 0;
    const int right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)acc << left);
    return nm_rounding_divide_by_pot(nm_doubling_high_mul(shifted, multiplier), right);
}

/** NM_ROUNDING_FLOAT. Needs the default rounding mode, nearest even; scale must be finite. */
static inline int32_t nm_round_float(int32_t acc, float scale) {
    const float value = (float)acc * scale;
    if (value >= 0x1p31f)
        return INT32_MAX;
    if (value < -0x1p31f)
        return INT32_MIN;
    return (int32_t)lrintf(value);
}

#endif
