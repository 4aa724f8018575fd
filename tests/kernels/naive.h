/**
 * The convolution written a second time, for the library's own reference to be held against: it
 * scatters each input value to the outputs that it reaches (the library gathers), in double and
 * int64, and rounds by other formulas.
 */
#ifndef NAIVE_H
#define NAIVE_H

#include "conv_case.h"

/**
 * The exact result of an integer case, in the output's type.
 * @param output c->output_count values of c->desc.output_type.
 */
void naive_int(const conv_case *c, void *output);

/**
 * An f32 case in double, before the clamp is rounded to float.
 * @param output    c->output_count values.
 * @param magnitude sum of |input * weight| and |bias| of each output: what errors are relative to.
 */
void naive_f32(const conv_case *c, double *output, double *magnitude);

/** Most that a float32 result may be off: 4 ulp x sqrt(terms) of the magnitude. */
double naive_f32_tolerance(const conv_case *c, double magnitude);

/** gemmlowp's and TFLite's MultiplyByQuantizedMultiplier, by its published steps. */
int32_t naive_requantize_tflite(int32_t acc, int32_t multiplier, int32_t shift);
int32_t naive_requantize_float(int32_t acc, float scale);

#endif
