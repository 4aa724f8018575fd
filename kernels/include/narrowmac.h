/**
 * narrowmac: convolutions in float32, int8 and packed int4.
 *
 * One operator, planned once and run many times:
 *
 *     nm_conv_desc desc;
 *     nm_conv_desc_init(&desc);            // strides 1, no padding, one group, best ISA
 *     desc.precision = NM_W8A8; ...        // shapes, types, zero points, requantization
 *     nm_conv *conv;
 *     nm_error error;
 *     if (nm_conv_create(&desc, weights, bias, &conv, &error) != NM_OK)
 *         fprintf(stderr, "%s\n", error.message);
 *     void *workspace = aligned_alloc(64, nm_conv_workspace_size(conv, threads));
 *     nm_conv_run(conv, input, output, workspace, threads);
 *     nm_conv_destroy(conv);
 *
 * The library does no I/O and keeps no global state. Every function is safe to call from several
 * threads; a plan may be run from several threads at once, each with a workspace of its own.
 *
 * Layouts. Activations are NHWC. Weights are OHWI, where I is the channels of one group
 * (in_channels / groups; 1 for depthwise). int4 tensors are packed two values a byte, low nibble
 * first, over the flattened tensor without padding: [0x1, 0x2, 0x3, 0x4] is [0x21, 0x43]. Signed
 * nibbles are two's complement (-8..7), unsigned ones are 0..15.
 *
 * Arithmetic. real = scale * (q - zero_point). For the integer precisions
 *
 *     acc[o] = bias[o] + sum over taps and channels of (x - input_zero_point) *
 *                                                      (w - weight_zero_point)
 *
 * in two's complement int32 (sums wrap modulo 2^32, as the hardware's do). Padding holds the input
 * zero point. Integer results are identical on every ISA, thread count and algorithm.
 */
#ifndef NARROWMAC_H
#define NARROWMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NM_API __attribute__((visibility("default")))
#else
#define NM_API
#endif

/** The library's version, "major.minor.patch". */
NM_API const char *nm_version(void);

/* ---- Errors ------------------------------------------------------------------------------- */

typedef enum nm_status {
    NM_OK = 0,
    NM_INVALID_ARGUMENT, /**< a shape, type, scale or name that cannot be; the message says which */
    NM_UNSUPPORTED,      /**< this CPU or this build cannot do what was asked by name */
    NM_OUT_OF_MEMORY,
} nm_status;

/** Why a call failed: one line "what: why; remedy", NUL-terminated, without a newline. */
typedef struct nm_error {
    char message[256];
} nm_error;

/* ---- Names -------------------------------------------------------------------------------- */

/** Weights/activations; the accumulator is float32 for NM_F32 and int32 for the others. */
typedef enum nm_precision {
    NM_F32 = 0,
    NM_W8A8,
    NM_W4A8,
    NM_W4A4,
    NM_PRECISION_COUNT
} nm_precision;

typedef enum nm_dtype {
    NM_FLOAT32 = 0,
    NM_INT32,
    NM_INT8,
    NM_UINT8,
    NM_INT4,  /**< packed, -8..7 */
    NM_UINT4, /**< packed, 0..15 */
} nm_dtype;

/** Instruction-set tiers, in order of preference within an architecture. */
typedef enum nm_isa {
    NM_ISA_AUTO = 0, /**< the best that this CPU has */
    NM_ISA_SCALAR,   /**< the reference: the specification of every result */
    NM_ISA_AVX2,
    NM_ISA_AVXVNNI, /**< 256-bit VEX-encoded VNNI */
    NM_ISA_AVX512VNNI,
    NM_ISA_NEON,
    NM_ISA_NEONDOT, /**< Armv8.2 dot product */
    NM_ISA_COUNT
} nm_isa;

typedef enum nm_algorithm {
    NM_ALGORITHM_AUTO = 0,
    NM_ALGORITHM_DIRECT,
    /** Exact integer Winograd: 3x3 and 5x5, stride 1. NM_W4A4, and NM_W8A8 and NM_W4A8 on
     *  tiers that multiply 16 bits (avx2). Tiles of 2x2 outputs. */
    NM_ALGORITHM_WINOGRAD,
    /** Likewise, tiles of 4x4 outputs: 3x3, stride 1, integers, on avx2 and avxvnni, where
     * the weights keep sums below 2^25. */
    NM_ALGORITHM_WINOGRAD4,
    NM_ALGORITHM_COUNT
} nm_algorithm;

/** How an int32 accumulator becomes an 8-bit output. */
typedef enum nm_rounding {
    /** int32 multiplier and shift: saturating rounding doubling high multiply, then rounding right
     *  shift (ties away from zero): TFLite's and CMSIS-NN's reference, bit for bit. */
    NM_ROUNDING_TFLITE = 0,
    /** multiply by a float scale, round to nearest even: oneDNN and XNNPACK's fp32 variants. */
    NM_ROUNDING_FLOAT,
} nm_rounding;

/** "f32", "w8a8", ...; NULL for a value out of range. */
NM_API const char *nm_precision_name(nm_precision precision);
/** "auto", "scalar", "avx2", ...; NULL for a value out of range. */
NM_API const char *nm_isa_name(nm_isa isa);
/** "auto", "direct", "winograd", "winograd4"; NULL for a value out of range. */
NM_API const char *nm_algorithm_name(nm_algorithm algorithm);

/* ---- CPU ---------------------------------------------------------------------------------- */

/** Whether this build has the tier and this CPU (and its operating system) can run it. */
NM_API bool nm_isa_available(nm_isa isa);
/** The tier that NM_ISA_AUTO stands for on this CPU. */
NM_API nm_isa nm_isa_best(void);
/** Whether SIMDe emulates the tier's instructions instead of issuing them: its timings mean
 * nothing. */
NM_API bool nm_isa_emulated(nm_isa isa);

/**
 * Runs the tier's densest multiply-accumulate back to back on registers (FMA for NM_F32, the 8-bit
 * dot product, or what stands for it on the tier, for the others): the ceiling of every kernel.
 * Returns the number of MACs done on the calling thread; 0 if the tier is not available.
 */
NM_API uint64_t nm_peak_run(nm_isa isa, nm_precision precision, uint64_t iterations);

/* ---- Convolution -------------------------------------------------------------------------- */

/**
 * What to compute. Fill with nm_conv_desc_init(), then set what differs. Pointers are read during
 * nm_conv_create() only.
 */
typedef struct nm_conv_desc {
    nm_precision precision;
    size_t batch, in_height, in_width, in_channels; /**< input, NHWC; each >= 1 */
    size_t out_channels, kernel_height, kernel_width;
    size_t stride[2];   /**< height, width; >= 1 */
    size_t dilation[2]; /**< height, width; >= 1 */
    size_t padding[4];  /**< top, left, bottom, right */
    size_t groups;      /**< divides in_channels and out_channels */

    /** NM_FLOAT32 for f32; NM_INT8 or NM_UINT8 for w8a8, w4a8; NM_INT4 or NM_UINT4 for w4a4. */
    nm_dtype input_type;
    /** f32: NM_FLOAT32. Integer precisions: NM_INT32 (the accumulators), NM_INT8 or NM_UINT8
     *  (requantized), NM_FLOAT32 (dequantized: scale[o] * acc[o]). */
    nm_dtype output_type;

    int32_t input_zero_point;  /**< within the input type's range */
    int32_t weight_zero_point; /**< one for the tensor: -128..127 (w8), -8..7 (w4) */
    int32_t output_zero_point; /**< within the output type's range; 0 unless 8-bit */

    nm_rounding rounding; /**< for 8-bit outputs */
    size_t scale_count;   /**< length of multiplier and shift, or of scale: 1 or out_channels */
    /** NM_ROUNDING_TFLITE: real factor = multiplier * 2^(shift - 31); multiplier >= 0,
     *  -31 <= shift <= 30. */
    const int32_t *multiplier;
    const int32_t *shift;
    /** NM_ROUNDING_FLOAT and dequantized output; finite. */
    const float *scale;

    /** 0, or 32 (NM_W4A8, NM_W4A4; float rounding or float output): the flattened HWI reduction is
     * cut into groups of 32 with a scale each, group_scale[o][g], g < ceil(K / 32), K =
     * kernel_height * kernel_width * in_channels / groups. The accumulator is then float32: acc[o]
     * = bias[o]; acc[o] = fma(group_scale[o][g], (float)sum_g, acc[o]) for g = 0, 1, ..., and bias
     * is float32, in the accumulator's units. */
    size_t group_size;
    const float *group_scale;

    /** Bounds of the output in its own units (quantized for 8-bit types); -INFINITY..INFINITY for
     *  none. ReLU is clamp_min = the output's zero. */
    double clamp_min, clamp_max;

    nm_isa isa;
    nm_algorithm algorithm;
} nm_conv_desc;

/** A planned convolution: immutable, owns its packed weights. */
typedef struct nm_conv nm_conv;

/** What a plan chose, for reports. */
typedef struct nm_conv_info {
    nm_isa isa;
    nm_algorithm algorithm; /**< never NM_ALGORITHM_AUTO */
    const char *kernel;     /**< microkernel's name, e.g. "u8s8_direct_7x64__avx512vnni"; static */
    size_t weight_bytes;    /**< resident bytes of packed weights, zero-point folds and scales */
    size_t out_height, out_width;
    uint64_t macs; /**< of the direct convolution, padding taps included */
} nm_conv_info;

/** Strides, dilations, groups and batch 1; everything else 0 or automatic; no clamp. */
NM_API void nm_conv_desc_init(nm_conv_desc *desc);

/**
 * The output's height and width for the shapes in desc.
 * @return NM_INVALID_ARGUMENT where a size is 0, a product overflows size_t, or the dilated kernel
 * is larger than the padded input.
 */
NM_API nm_status nm_conv_output_size(const nm_conv_desc *desc, size_t *out_height,
                                     size_t *out_width, nm_error *error);

/**
 * Checks everything, picks the kernel, packs the weights and folds the zero points into the bias.
 *
 * @param weights OHWI: float32 (f32), int8 (w8a8), packed int4 (w4a8, w4a4). Not kept.
 * @param bias    out_channels values: float32 for f32 and for group_size != 0, else int32; or NULL.
 *                Not kept.
 * @param conv    receives the plan; NULL on failure.
 * @param error   receives the reason on failure; may be NULL.
 */
NM_API nm_status nm_conv_create(const nm_conv_desc *desc, const void *weights, const void *bias,
                                nm_conv **conv, nm_error *error);

NM_API void nm_conv_destroy(nm_conv *conv);

NM_API nm_conv_info nm_conv_get_info(const nm_conv *conv);

/** Bytes that nm_conv_run() needs for that many threads; 0 is possible. */
NM_API size_t nm_conv_workspace_size(const nm_conv *conv, unsigned threads);

/**
 * Computes the output; allocates nothing.
 *
 * @param input     NHWC of desc.input_type; nothing outside it is read.
 * @param output    batch x out_height x out_width x out_channels of desc.output_type; may not
 * overlap input or workspace.
 * @param workspace nm_conv_workspace_size(conv, threads) bytes, 64-byte aligned.
 * @param threads   most OpenMP threads to use, >= 1; small layers use fewer.
 */
NM_API void nm_conv_run(const nm_conv *conv, const void *input, void *output, void *workspace,
                        unsigned threads);

/* ---- Quantization ------------------------------------------------------------------------- */

/** How real ranges become scales; see each name. */
typedef enum nm_scheme {
    NM_SCHEME_SEED = 0,    /**< per-tensor affine, min/max, weights and activations */
    NM_SCHEME_PER_CHANNEL, /**< weights symmetric per output channel; activations affine, min/max */
    NM_SCHEME_GROUP32,     /**< int4: weights symmetric in groups of 32 along the reduction */
    NM_SCHEME_MSE,         /**< per-channel, every range clipped to minimize the squared error */
    NM_SCHEME_GROUP32_MSE, /**< group32, likewise clipped */
    NM_SCHEME_COUNT
} nm_scheme;

/** "seed", "per-channel", "group32", "mse", "group32+mse"; NULL for a value out of range. */
NM_API const char *nm_scheme_name(nm_scheme scheme);

/** real = scale * (q - zero_point), qmin <= q <= qmax. */
typedef struct nm_qparams {
    float scale; /**< > 0, finite */
    int32_t zero_point;
    int32_t qmin, qmax;
} nm_qparams;

/**
 * Affine parameters that cover [min, max], widened to hold 0, with the zero point rounded to the
 * nearest integer (Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", 2018, eq. 1). An empty range gives scale 1.
 */
NM_API nm_qparams nm_qparams_from_range(float min, float max, int32_t qmin, int32_t qmax);

/** Parameters for the values of x[0..n): min/max for the plain schemes, squared-error clipping for
 *  the MSE ones. Values must be finite; n >= 1. */
NM_API nm_qparams nm_qparams_choose(nm_scheme scheme, const float *x, size_t n, int32_t qmin,
                                    int32_t qmax);

/** q[i] = clamp(round-half-even(x[i] / scale) + zero_point); q is int8_t or uint8_t by the sign of
 *  params.qmin (int8 when negative). One value a byte, also for 4-bit ranges. */
NM_API void nm_quantize(const float *x, size_t n, nm_qparams params, void *q);

/**
 * Quantizes a weight matrix of out_channels rows of k values (OHWI flattened).
 *
 * @param bits        8 or 4. Symmetric ranges are -127..127 (TFLite's int8 specification) and
 * -7..7.
 * @param q           receives out_channels * k int8 values, one a byte.
 * @param scale       receives out_channels scales (all alike for NM_SCHEME_SEED); for the GROUP32
 *                    schemes out_channels * ceil(k / 32), [o][g].
 * @param zero_point  receives the tensor's zero point (0 but for NM_SCHEME_SEED).
 */
NM_API nm_status nm_quantize_weights(nm_scheme scheme, int bits, const float *weights,
                                     size_t out_channels, size_t k, int8_t *q, float *scale,
                                     int32_t *zero_point, nm_error *error);

/**
 * Rounds weights of nm_quantize_weights() again, so that errors cancel where inputs are alike:
 * neighbouring pixels of one channel. Codes move by one step, where that costs the least squared
 * error, until no move brings the sum of the errors nearer to zero: first over each 2-D kernel
 * (the taps of an output and an input channel), then over each output channel. The rounding of
 * SQuant (Guo et al., "SQuant: On-the-Fly Data-Free Quantization via Diagonal Hessian
 * Approximation", 2022), for symmetric schemes; it needs no data.
 *
 * @param bits       8 or 4: codes stay within -127..127 or -7..7.
 * @param weights    out_channels rows of taps * channels values (OHWI flattened).
 * @param taps       kernel_height * kernel_width.
 * @param channels   input channels of one group.
 * @param group_size 0 for a scale an output channel, 32 for the GROUP32 schemes' scales.
 * @param q          in and out: one code a byte.
 */
NM_API nm_status nm_balance_weights(int bits, const float *weights, size_t out_channels,
                                    size_t taps, size_t channels, size_t group_size,
                                    const float *scale, int8_t *q, nm_error *error);

/** Packs n values (low nibble of each byte) two a byte, low nibble first: (n + 1) / 2 bytes. */
NM_API void nm_pack_int4(const void *values, size_t n, uint8_t *packed);
/** Unpacks n nibbles, sign-extended (NM_INT4) or zero-extended (NM_UINT4), one a byte. */
NM_API void nm_unpack_int4(const uint8_t *packed, size_t n, nm_dtype type, void *values);

/**
 * factor = multiplier * 2^(shift - 31) with 2^30 <= multiplier < 2^31, rounded as TFLite's
 * QuantizeMultiplier does. factor >= 0, finite; below 2^-32 it becomes 0.
 * @return NM_INVALID_ARGUMENT for a negative, infinite, NaN or >= 2^30 factor.
 */
NM_API nm_status nm_quantize_multiplier(double factor, int32_t *multiplier, int32_t *shift,
                                        nm_error *error);

/** The TFLite rounding of one accumulator, without zero point and clamp. */
NM_API int32_t nm_requantize_tflite(int32_t acc, int32_t multiplier, int32_t shift);
/** The float rounding of one accumulator: round-half-even((float)acc * scale), saturated to int32.
 */
NM_API int32_t nm_requantize_float(int32_t acc, float scale);

#ifdef __cplusplus
}
#endif

#endif
