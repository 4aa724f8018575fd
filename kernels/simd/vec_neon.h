/**
 * Vector layer: 128-bit Arm, for the tiers neon (widening byte products) and neondot (Armv8.2 dot
 * products). Activations are signed here: sdot has no mixed-sign form before Armv8.6. Rounding to
 * nearest even, which SIMDe 0.7.4 does not wrap, is issued natively.
 */
#include <simde/arm/neon.h>

#define VL 4
#define ACT_BIAS_U8 (-128)
#define ACT_BIAS_S8 0
#define ACT_BIAS_S4 0
/* What makes transformed activations of -30..60 fit act_t. */
#define WINOGRAD_BIAS 0
#define VECTOR_REGISTERS 32
/* Of 32 registers. */
#define TILES(X) UP_TO_12(X, 1) UP_TO_12(X, 2) UP_TO_8(X, 3) UP_TO_6(X, 4)
#define TILE_MR                                                                                    \
    { 0, 12, 12, 8, 6 }
/* Pixels of a depthwise tile of floats: with two rows of them, their sums and nine weights fill the
 * registers. */
#define DW_PIXELS_F32 4

typedef int8_t act_t;
typedef int8_t wt_t;
typedef simde_int32x4_t vi;
typedef simde_float32x4_t vf;

#if defined(SIMDE_ARM_NEON_A64V8_NATIVE)
#define VEC_EMULATED false
#else
#define VEC_EMULATED true
#endif

INLINE vi vi_set1(int32_t x) { return simde_vdupq_n_s32(x); }
INLINE vi vi_load(const int32_t *p) { return simde_vld1q_s32(p); }
INLINE vi vi_add(vi a, vi b) { return simde_vaddq_s32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return simde_vsubq_s32(a, b); }
INLINE vi vi_mul(vi a, vi b) { return simde_vmulq_s32(a, b); }
INLINE vi vi_and(vi a, vi b) { return simde_vandq_s32(a, b); }
INLINE vi vi_min(vi a, vi b) { return simde_vminq_s32(a, b); }
INLINE vi vi_max(vi a, vi b) { return simde_vmaxq_s32(a, b); }
INLINE vi vi_sllv(vi a, vi n) { return simde_vshlq_s32(a, n); }
INLINE vi vi_srav(vi a, vi n) { return simde_vshlq_s32(a, simde_vnegq_s32(n)); }
/* a > b ? 1 : 0 */
INLINE vi vi_gt(vi a, vi b) {
    return simde_vreinterpretq_s32_u32(simde_vshrq_n_u32(simde_vcgtq_s32(a, b), 31));
}
/* (2 * a * b + 2^31) >> 32, which is (a * b + 2^30) >> 31 */
INLINE vi vi_doubling_high_mul(vi a, vi b) { return simde_vqrdmulhq_s32(a, b); }

INLINE vf vf_set1(float x) { return simde_vdupq_n_f32(x); }
INLINE vf vf_load(const float *p) { return simde_vld1q_f32(p); }
INLINE vf vf_mul(vf a, vf b) { return simde_vmulq_f32(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return simde_vfmaq_f32(c, a, b); }
/* By comparison, as the reference does: fmin and fmax would turn -0 into 0 at a bound of 0. */
INLINE vf vf_min(vf a, vf b) { return simde_vbslq_f32(simde_vcgtq_f32(b, a), a, b); }
INLINE vf vf_max(vf a, vf b) { return simde_vbslq_f32(simde_vcltq_f32(b, a), a, b); }
INLINE vf vf_from_i32(vi a) { return simde_vcvtq_f32_s32(a); }
INLINE vf vf_from_bits(vi a) { return simde_vreinterpretq_f32_s32(a); }
INLINE vi vi_round_f32(vf a) { return vcvtnq_s32_f32(a); }

INLINE void vi_store(int32_t *p, vi a, size_t n) {
    if (n == VL) {
        simde_vst1q_s32(p, a);
        return;
    }
    int32_t t[VL];
    simde_vst1q_s32(t, a);
    memcpy(p, t, n * sizeof *p);
}
INLINE void vf_store(float *p, vf a, size_t n) {
    vi_store((int32_t *)p, simde_vreinterpretq_s32_f32(a), n);
}
/* The low byte of n lanes. */
INLINE void vi_store_u8(uint8_t *p, vi a, size_t n) {
    const simde_int16x4_t half = simde_vmovn_s32(a);
    const simde_int8x8_t bytes = simde_vmovn_s16(simde_vcombine_s16(half, half));
    int8_t t[8];
    simde_vst1_s8(t, bytes);
    memcpy(p, t, n);
}

INLINE vf vf_load_n(const float *p, size_t n) {
    float t[VL] = {0};
    memcpy(t, p, n * sizeof *p);
    return vf_load(t);
}
/* Four vectors of lanes to one of bytes. */
typedef simde_uint8x16_t vc;

/* Adds zero_point and saturates to unsigned bytes, in order. */
INLINE vc vc_pack(const vi *a, int16_t zero_point) {
    const simde_int16x8_t zero = simde_vdupq_n_s16(zero_point);
    const simde_int16x8_t low = simde_vcombine_s16(simde_vqmovn_s32(a[0]), simde_vqmovn_s32(a[1]));
    const simde_int16x8_t high = simde_vcombine_s16(simde_vqmovn_s32(a[2]), simde_vqmovn_s32(a[3]));
    return simde_vcombine_u8(simde_vqmovun_s16(simde_vqaddq_s16(low, zero)),
                             simde_vqmovun_s16(simde_vqaddq_s16(high, zero)));
}
INLINE vc vc_in_order(vc a) { return a; }
INLINE vc vc_set1(uint8_t x) { return simde_vdupq_n_u8(x); }
INLINE vc vc_clamp(vc a, vc min, vc max) { return simde_vmaxq_u8(min, simde_vminq_u8(max, a)); }
INLINE vc vc_xor(vc a, vc b) { return simde_veorq_u8(a, b); }
INLINE void vc_store(uint8_t *p, vc a, size_t n) {
    uint8_t t[4 * VL];
    simde_vst1q_u8(t, a);
    memcpy(p, t, n);
}
/* The first n bytes of part `part` of `parts`, 1, 2 or 4 equal ones. */
INLINE void vc_store_part(uint8_t *p, vc a, int part, int parts, size_t n) {
    if (parts == 1) {
        vc_store(p, a, n);
        return;
    }
    uint8_t t[4 * VL];
    simde_vst1q_u8(t, a);
    memcpy(p, t + part * (4 * VL / parts), n);
}

/* 4 * VL bytes' low nibbles, then their high ones, sign-extended. */
INLINE void expand_nibbles(const int8_t *in, wt_t *low, wt_t *high) {
    const simde_int8x16_t bytes = simde_vld1q_s8(in);
    simde_vst1q_s8(low, simde_vshrq_n_s8(simde_vshlq_n_s8(bytes, 4), 4));
    simde_vst1q_s8(high, simde_vshrq_n_s8(bytes, 4));
}

/* A vector of activations, modulo 256. */
#define VA_LANES 16
typedef simde_int8x16_t va;

INLINE va va_set1(int x) { return simde_vdupq_n_s8((int8_t)x); }
INLINE va va_load(const act_t *p) { return simde_vld1q_s8(p); }
INLINE va va_xor(va a, va b) { return simde_veorq_s8(a, b); }
/* The VA_LANES nibbles of VA_LANES / 2 bytes, low ones first. */
INLINE va va_nibbles(const uint8_t *p) {
    const simde_uint8x8_t bytes = simde_vld1_u8(p);
    const simde_uint8x8x2_t pairs =
        simde_vzip_u8(simde_vand_u8(bytes, simde_vdup_n_u8(15)), simde_vshr_n_u8(bytes, 4));
    return simde_vreinterpretq_s8_u8(simde_vcombine_u8(pairs.val[0], pairs.val[1]));
}
/* Those of n bytes, a whole vector or half of one: only low ones, only high ones. */
INLINE simde_uint8x16_t load_bytes(const uint8_t *p, size_t n) {
    return n == VA_LANES ? simde_vld1q_u8(p)
                         : simde_vcombine_u8(simde_vld1_u8(p), simde_vdup_n_u8(0));
}
INLINE va va_low_nibbles(const uint8_t *p, size_t n) {
    return simde_vreinterpretq_s8_u8(simde_vandq_u8(load_bytes(p, n), simde_vdupq_n_u8(15)));
}
INLINE va va_high_nibbles(const uint8_t *p, size_t n) {
    return simde_vreinterpretq_s8_u8(simde_vshrq_n_u8(load_bytes(p, n), 4));
}
INLINE va va_add(va a, va b) { return simde_vaddq_s8(a, b); }
INLINE va va_sub(va a, va b) { return simde_vsubq_s8(a, b); }
INLINE void va_store(act_t *p, va a, size_t n) {
    if (n == VA_LANES) {
        simde_vst1q_s8(p, a);
        return;
    }
    act_t t[VA_LANES];
    simde_vst1q_s8(t, a);
    memcpy(p, t, n);
}

/* Depthwise: bytes as signed. */
#define DW_SIGN 0x80
#define DW_PIXELS 1 /* a vector is one 128-bit lane already */

#if defined(NM_NEONDOT)

#define DOT_STEP 4
typedef simde_int8x16_t vx;
typedef simde_int8x16_t vw;

INLINE vx vx_broadcast(const act_t *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return simde_vreinterpretq_s8_s32(simde_vdupq_n_s32(x));
}
INLINE vw vw_load(const wt_t *p) { return simde_vld1q_s8(p); }
INLINE vi vi_dot(vi acc, vx x, vw w) { return simde_vdotq_s32(acc, x, w); }

/* Depthwise: 16 channels, four rows at a time. */
#define DW_VECTORS 4
typedef simde_int8x16_t vb;

INLINE vb vb_set1(uint8_t x) { return simde_vdupq_n_s8((int8_t)x); }
INLINE vb vb_load(const char *const *p, int pixels, size_t n) {
    (void)pixels;
    int8_t t[4 * VL] = {0};
    memcpy(t, p[0], n);
    return simde_vld1q_s8(t);
}
INLINE vb vb_xor(vb a, vb b) { return simde_veorq_s8(a, b); }
INLINE void interleave(const vb *row, vx *out) {
    const simde_int8x16x2_t rows01 = simde_vzipq_s8(row[0], row[1]);
    const simde_int8x16x2_t rows23 = simde_vzipq_s8(row[2], row[3]);
    for (int half = 0; half < 2; ++half) {
        const simde_int16x8x2_t quads =
            simde_vzipq_s16(simde_vreinterpretq_s16_s8(rows01.val[half]),
                            simde_vreinterpretq_s16_s8(rows23.val[half]));
        out[2 * half] = simde_vreinterpretq_s8_s16(quads.val[0]);
        out[2 * half + 1] = simde_vreinterpretq_s8_s16(quads.val[1]);
    }
}

#else

#define DOT_STEP 2
typedef simde_int8x8_t vx;
typedef simde_int8x8_t vw;

INLINE vx vx_broadcast(const act_t *p) {
    int16_t x;
    memcpy(&x, p, sizeof x);
    return simde_vreinterpret_s8_s16(simde_vdup_n_s16(x));
}
INLINE vw vw_load(const wt_t *p) { return simde_vld1_s8(p); }
INLINE vi vi_dot(vi acc, vx x, vw w) { return simde_vpadalq_s16(acc, simde_vmull_s8(x, w)); }

/* Depthwise: 8 channels, two rows at a time. */
#define DW_VECTORS 2
typedef simde_int8x8_t vb;

INLINE vb vb_set1(uint8_t x) { return simde_vdup_n_s8((int8_t)x); }
INLINE vb vb_load(const char *const *p, int pixels, size_t n) {
    (void)pixels;
    int8_t t[2 * VL] = {0};
    memcpy(t, p[0], n);
    return simde_vld1_s8(t);
}
INLINE vb vb_xor(vb a, vb b) { return simde_veor_s8(a, b); }
INLINE void interleave(const vb *row, vx *out) {
    const simde_int8x8x2_t rows = simde_vzip_s8(row[0], row[1]);
    out[0] = rows.val[0];
    out[1] = rows.val[1];
}
/* n bytes of two vectors, packed twice. */
INLINE void vc_store_pair(uint8_t *p, vc a, size_t n) {
    uint8_t t[2 * VL];
    simde_vst1_u8(t, simde_vget_low_u8(a));
    memcpy(p, t, n);
}

#endif
