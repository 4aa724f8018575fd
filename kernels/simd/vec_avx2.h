/**
 * Vector layer: 256-bit x86, for the tiers avx2 (16-bit pair products: exact, where vpmaddubsw
 * would saturate; with int4 weights it does not) and avxvnni (byte dot products).
 */
#include <simde/x86/avx2.h>
#include <simde/x86/fma.h>

#define VL 8
#define VECTOR_REGISTERS 16
/* Of 16 registers: the accumulators, a weight vector per nr, the broadcast and a product. */
#define TILES(X) UP_TO_12(X, 1) UP_TO_6(X, 2)
#define TILE_MR                                                                                    \
    { 0, 12, 6, 0, 0 }
/* Pixels of a depthwise tile of floats: with two rows of them, their sums and nine weights fill the
 * registers. */
#define DW_PIXELS_F32 2

typedef simde__m256i vi;
typedef simde__m256 vf;
typedef simde__m256i vx;
typedef simde__m256i vw;

#if defined(SIMDE_X86_AVX2_NATIVE) && defined(SIMDE_X86_FMA_NATIVE)
#define VEC_EMULATED false
#else
#define VEC_EMULATED true
#endif

INLINE vi vi_set1(int32_t x) { return simde_mm256_set1_epi32(x); }
INLINE vi vi_load(const int32_t *p) { return simde_mm256_loadu_si256((const simde__m256i *)p); }
INLINE vi vi_add(vi a, vi b) { return simde_mm256_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return simde_mm256_sub_epi32(a, b); }
INLINE vi vi_mul(vi a, vi b) { return simde_mm256_mullo_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return simde_mm256_and_si256(a, b); }
INLINE vi vi_min(vi a, vi b) { return simde_mm256_min_epi32(a, b); }
INLINE vi vi_max(vi a, vi b) { return simde_mm256_max_epi32(a, b); }
INLINE vi vi_sllv(vi a, vi n) { return simde_mm256_sllv_epi32(a, n); }
INLINE vi vi_srav(vi a, vi n) { return simde_mm256_srav_epi32(a, n); }
/* a > b ? 1 : 0 */
INLINE vi vi_gt(vi a, vi b) { return simde_mm256_srli_epi32(simde_mm256_cmpgt_epi32(a, b), 31); }

/* (a * b + 2^30) >> 31 in 64 bits: the doubling high multiply for b >= 0 */
INLINE vi vi_doubling_high_mul(vi a, vi b) {
    const vi nudge = simde_mm256_set1_epi64x(1 << 30);
    const vi even = simde_mm256_add_epi64(simde_mm256_mul_epi32(a, b), nudge);
    const vi odd = simde_mm256_add_epi64(
        simde_mm256_mul_epi32(simde_mm256_srli_epi64(a, 32), simde_mm256_srli_epi64(b, 32)), nudge);
    return simde_mm256_blend_epi32(simde_mm256_srli_epi64(even, 31), simde_mm256_slli_epi64(odd, 1),
                                   0xAA);
}

INLINE vf vf_set1(float x) { return simde_mm256_set1_ps(x); }
INLINE vf vf_load(const float *p) { return simde_mm256_loadu_ps(p); }
INLINE vf vf_mul(vf a, vf b) { return simde_mm256_mul_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return simde_mm256_fmadd_ps(a, b, c); }
/* A NaN in b is kept, as in the reference. */
INLINE vf vf_min(vf a, vf b) { return simde_mm256_min_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return simde_mm256_max_ps(a, b); }
INLINE vf vf_from_i32(vi a) { return simde_mm256_cvtepi32_ps(a); }
INLINE vf vf_from_bits(vi a) { return simde_mm256_castsi256_ps(a); }
INLINE vi vi_round_f32(vf a) { return simde_mm256_cvtps_epi32(a); }

INLINE void vi_store(int32_t *p, vi a, size_t n) {
    if (n == VL) {
        simde_mm256_storeu_si256((simde__m256i *)p, a);
        return;
    }
    int32_t t[VL];
    simde_mm256_storeu_si256((simde__m256i *)t, a);
    memcpy(p, t, n * sizeof *p);
}
INLINE void vf_store(float *p, vf a, size_t n) {
    vi_store((int32_t *)p, simde_mm256_castps_si256(a), n);
}
/* The low byte of n lanes. */
INLINE void vi_store_u8(uint8_t *p, vi a, size_t n) {
    const simde__m256i low = simde_mm256_shuffle_epi8(
        a, simde_mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4,
                                 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const simde__m128i bytes = simde_mm_unpacklo_epi32(simde_mm256_castsi256_si128(low),
                                                       simde_mm256_extracti128_si256(low, 1));
    const int64_t t = simde_mm_cvtsi128_si64(bytes);
    memcpy(p, &t, n);
}

INLINE vf vf_load_n(const float *p, size_t n) {
    if (n == VL)
        return vf_load(p);
    float t[VL] = {0};
    memcpy(t, p, n * sizeof *p);
    return vf_load(t);
}
/* 32 bytes' low and high nibbles, sign-extended. */
INLINE void split_nibbles(const int8_t *in, simde__m256i *low, simde__m256i *high) {
    const simde__m256i sign_extended = simde_mm256_broadcastsi128_si256(
        simde_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
    const simde__m256i mask = simde_mm256_set1_epi8(15);
    const simde__m256i bytes = simde_mm256_loadu_si256((const simde__m256i *)in);
    *low = simde_mm256_shuffle_epi8(sign_extended, simde_mm256_and_si256(bytes, mask));
    *high = simde_mm256_shuffle_epi8(sign_extended,
                                     simde_mm256_and_si256(simde_mm256_srli_epi16(bytes, 4), mask));
}

/* Four vectors of lanes to one of bytes. */
typedef simde__m256i vc;

/* Adds zero_point and saturates to unsigned bytes; four bytes of each vector in turn, within
 * 128-bit lanes, which is the depthwise kernels' channel order. */
INLINE vc vc_pack(const vi *a, int16_t zero_point) {
    const vi zero = simde_mm256_set1_epi16(zero_point);
    const vi low = simde_mm256_adds_epi16(simde_mm256_packs_epi32(a[0], a[1]), zero);
    const vi high = simde_mm256_adds_epi16(simde_mm256_packs_epi32(a[2], a[3]), zero);
    return simde_mm256_packus_epi16(low, high);
}
/* From that order to all of the first vector's bytes, then the second's, ... */
INLINE vc vc_in_order(vc a) {
    return simde_mm256_permutevar8x32_epi32(a, simde_mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
INLINE vc vc_set1(uint8_t x) { return simde_mm256_set1_epi8((int8_t)x); }
INLINE vc vc_clamp(vc a, vc min, vc max) {
    return simde_mm256_max_epu8(min, simde_mm256_min_epu8(max, a));
}
INLINE vc vc_xor(vc a, vc b) { return simde_mm256_xor_si256(a, b); }
INLINE void vc_store(uint8_t *p, vc a, size_t n) {
    if (n == 4 * VL) {
        simde_mm256_storeu_si256((simde__m256i *)p, a);
        return;
    }
    uint8_t t[4 * VL];
    simde_mm256_storeu_si256((simde__m256i *)t, a);
    memcpy(p, t, n);
}

/* The first n bytes of part `part` of `parts`, 1, 2 or 4 equal ones. */
INLINE void vc_store_part(uint8_t *p, vc a, int part, int parts, size_t n) {
    if (parts == 1) {
        vc_store(p, a, n);
        return;
    }
    const simde__m128i half =
        part >= parts / 2 ? simde_mm256_extracti128_si256(a, 1) : simde_mm256_castsi256_si128(a);
    if (parts == 2 && n == 2 * VL) {
        simde_mm_storeu_si128((simde__m128i *)p, half);
        return;
    }
    uint64_t t[2];
    simde_mm_storeu_si128((simde__m128i *)t, half);
    const uint64_t *const from = t + (parts == 4 ? part % 2 : 0);
    if (n == VL)
        memcpy(p, from, VL);
    else
        memcpy(p, from, n);
}

#if (defined(NM_AVXVNNI) && !defined(NM_WIDE)) || defined(NM_INT4_WEIGHTS)

#define DOT_STEP 4
#define ACT_BIAS_U8 0
#define ACT_BIAS_S8 128
#define ACT_BIAS_S4 8
#define WINOGRAD_BIAS 30 /* makes transformed activations of -30..60 fit act_t */
typedef uint8_t act_t;
typedef int8_t wt_t;

INLINE vx vx_broadcast(const act_t *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return vi_set1(x);
}
INLINE vw vw_load(const wt_t *p) { return simde_mm256_loadu_si256((const simde__m256i *)p); }
#if defined(NM_AVXVNNI)
/* SIMDe 0.7.4 knows the instruction under AVX512-VNNI only and would emulate it here. */
INLINE vi vi_dot(vi acc, vx x, vw w) { return _mm256_dpbusd_avx_epi32(acc, x, w); }
#else
/* Pairs of products sum to at most 2 * 255 * 8, of Winograd's operands to 2 * 90 * 128: no
 * saturation. */
INLINE vi vi_dot(vi acc, vx x, vw w) {
    return simde_mm256_add_epi32(
        acc, simde_mm256_madd_epi16(simde_mm256_maddubs_epi16(x, w), simde_mm256_set1_epi16(1)));
}

/* Sums of pairs in 16 bits: so many steps of products of 8 or 4 bits with int4 fit. */
#define SUM_STEPS_8 8
#define SUM_STEPS_4 136
typedef simde__m256i vs;

INLINE vs vs_zero(void) { return simde_mm256_setzero_si256(); }
INLINE vs vs_product(vx x, vw w) { return simde_mm256_maddubs_epi16(x, w); }
INLINE vs vs_dot(vs sum, vx x, vw w) {
    return simde_mm256_add_epi16(sum, simde_mm256_maddubs_epi16(x, w));
}
INLINE vi vs_widen(vi acc, vs sum) {
    return simde_mm256_add_epi32(acc, simde_mm256_madd_epi16(sum, simde_mm256_set1_epi16(1)));
}
#endif

/* 4 * VL bytes' low nibbles, then their high ones. */
INLINE void expand_nibbles(const int8_t *in, wt_t *low, wt_t *high) {
    simde__m256i l, h;
    split_nibbles(in, &l, &h);
    simde_mm256_storeu_si256((simde__m256i *)low, l);
    simde_mm256_storeu_si256((simde__m256i *)high, h);
}

/* A vector of activations, modulo 256. */
#define VA_LANES 32
typedef simde__m256i va;

INLINE va va_set1(int x) { return simde_mm256_set1_epi8((int8_t)x); }
INLINE va va_load(const act_t *p) { return simde_mm256_loadu_si256((const simde__m256i *)p); }
INLINE va va_xor(va a, va b) { return simde_mm256_xor_si256(a, b); }
/* The VA_LANES nibbles of VA_LANES / 2 bytes, low ones first. */
INLINE va va_nibbles(const uint8_t *p) {
    const simde__m256i words =
        simde_mm256_cvtepu8_epi16(simde_mm_loadu_si128((const simde__m128i *)p));
    return simde_mm256_and_si256(simde_mm256_or_si256(words, simde_mm256_slli_epi16(words, 4)),
                                 simde_mm256_set1_epi8(15));
}
/* Those of n bytes, a whole vector or half of one: only low ones, only high ones. */
INLINE simde__m256i load_bytes(const uint8_t *p, size_t n) {
    return n == VA_LANES
               ? simde_mm256_loadu_si256((const simde__m256i *)p)
               : simde_mm256_castsi128_si256(simde_mm_loadu_si128((const simde__m128i *)p));
}
INLINE va va_low_nibbles(const uint8_t *p, size_t n) {
    return simde_mm256_and_si256(load_bytes(p, n), simde_mm256_set1_epi8(15));
}
INLINE va va_high_nibbles(const uint8_t *p, size_t n) {
    return simde_mm256_and_si256(simde_mm256_srli_epi16(load_bytes(p, n), 4),
                                 simde_mm256_set1_epi8(15));
}
INLINE va va_add(va a, va b) { return simde_mm256_add_epi8(a, b); }
INLINE va va_sub(va a, va b) { return simde_mm256_sub_epi8(a, b); }

/* Depthwise: 32 channels, four rows at a time. */
#define DW_VECTORS 4
#define DW_SIGN 0
typedef simde__m256i vb;

INLINE vb vb_set1(uint8_t x) { return simde_mm256_set1_epi8((int8_t)x); }
/* n bytes of each of 1 or 2 pixels, side by side. */
#define DW_PIXELS 2
INLINE simde__m128i half(const char *p, size_t n) {
    char t[16] = {0};
    if (n < 16)
        p = memcpy(t, p, n);
    return simde_mm_loadu_si128((const simde__m128i *)p);
}
INLINE vb vb_load(const char *const *p, int pixels, size_t n) {
    if (pixels == 2)
        return simde_mm256_inserti128_si256(simde_mm256_castsi128_si256(half(p[0], n)),
                                            half(p[1], n), 1);
    char t[32] = {0};
    return simde_mm256_loadu_si256(
        (const simde__m256i *)(n == 32 ? p[0] : (const char *)memcpy(t, p[0], n)));
}
INLINE vb vb_xor(vb a, vb b) { return simde_mm256_xor_si256(a, b); }
INLINE void interleave(const vb *row, vx *out) {
    const vb low01 = simde_mm256_unpacklo_epi8(row[0], row[1]);
    const vb high01 = simde_mm256_unpackhi_epi8(row[0], row[1]);
    const vb low23 = simde_mm256_unpacklo_epi8(row[2], row[3]);
    const vb high23 = simde_mm256_unpackhi_epi8(row[2], row[3]);
    out[0] = simde_mm256_unpacklo_epi16(low01, low23);
    out[1] = simde_mm256_unpackhi_epi16(low01, low23);
    out[2] = simde_mm256_unpacklo_epi16(high01, high23);
    out[3] = simde_mm256_unpackhi_epi16(high01, high23);
}
#else

#define DOT_STEP 2
#define ACT_BIAS_U8 0
#define ACT_BIAS_S8 0
#define ACT_BIAS_S4 0
#define WINOGRAD_BIAS 0
typedef int16_t act_t;
typedef int16_t wt_t;

INLINE vx vx_broadcast(const act_t *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return vi_set1(x);
}
INLINE vw vw_load(const wt_t *p) { return simde_mm256_loadu_si256((const simde__m256i *)p); }
INLINE void vw_store(wt_t *p, vw w) { simde_mm256_storeu_si256((simde__m256i *)p, w); }
/* 16 bytes. */
#define WIDENS
INLINE vw vw_widen(const int8_t *p) {
    return simde_mm256_cvtepi8_epi16(simde_mm_loadu_si128((const simde__m128i *)p));
}
#if defined(NM_AVXVNNI)
INLINE vi vi_dot(vi acc, vx x, vw w) { return _mm256_dpwssd_avx_epi32(acc, x, w); }
#else
INLINE vi vi_dot(vi acc, vx x, vw w) {
    return simde_mm256_add_epi32(acc, simde_mm256_madd_epi16(x, w));
}
#endif

/* 4 * VL bytes' low nibbles, then their high ones. */
INLINE void widen(wt_t *out, simde__m256i a) {
    simde_mm256_storeu_si256((simde__m256i *)out,
                             simde_mm256_cvtepi8_epi16(simde_mm256_castsi256_si128(a)));
    simde_mm256_storeu_si256((simde__m256i *)(out + 16),
                             simde_mm256_cvtepi8_epi16(simde_mm256_extracti128_si256(a, 1)));
}
INLINE void expand_nibbles(const int8_t *in, wt_t *low, wt_t *high) {
    simde__m256i l, h;
    split_nibbles(in, &l, &h);
    widen(low, l);
    widen(high, h);
}

/* A vector of activations, modulo 65536. */
#define VA_LANES 16
typedef simde__m256i va;

INLINE va va_set1(int x) { return simde_mm256_set1_epi16((int16_t)x); }
INLINE va va_load(const act_t *p) { return simde_mm256_loadu_si256((const simde__m256i *)p); }
INLINE va va_xor(va a, va b) { return simde_mm256_xor_si256(a, b); }
/* The VA_LANES nibbles of VA_LANES / 2 bytes, low ones first. */
INLINE va va_nibbles(const uint8_t *p) {
    const simde__m128i words =
        simde_mm_cvtepu8_epi16(simde_mm_loadl_epi64((const simde__m128i *)p));
    const simde__m128i bytes = simde_mm_and_si128(
        simde_mm_or_si128(words, simde_mm_slli_epi16(words, 4)), simde_mm_set1_epi8(15));
    return simde_mm256_cvtepu8_epi16(bytes);
}
/* Those of n bytes, a whole vector or half of one: only low ones, only high ones. */
INLINE simde__m256i load_bytes(const uint8_t *p, size_t n) {
    return simde_mm256_cvtepu8_epi16(n == VA_LANES ? simde_mm_loadu_si128((const simde__m128i *)p)
                                                   : simde_mm_loadl_epi64((const simde__m128i *)p));
}
INLINE va va_low_nibbles(const uint8_t *p, size_t n) {
    return simde_mm256_and_si256(load_bytes(p, n), simde_mm256_set1_epi16(15));
}
INLINE va va_high_nibbles(const uint8_t *p, size_t n) {
    return simde_mm256_srli_epi16(load_bytes(p, n), 4);
}
INLINE va va_add(va a, va b) { return simde_mm256_add_epi16(a, b); }
INLINE va va_sub(va a, va b) { return simde_mm256_sub_epi16(a, b); }
#define va_shift(a, n) simde_mm256_slli_epi16(a, n)

/* Depthwise: 16 channels, widened to 16 bits, two rows at a time. */
#define DW_PIXELS 1
#define DW_VECTORS 2
#define DW_SIGN 0
typedef simde__m256i vb; /* 16 bits a channel */

INLINE vb vb_set1(uint8_t x) { return simde_mm256_set1_epi16(x); }
INLINE vb vb_load(const char *const *p, int pixels, size_t n) {
    (void)pixels;
    char t[2 * VL] = {0};
    return simde_mm256_cvtepu8_epi16(simde_mm_loadu_si128(
        (const simde__m128i *)(n == 2 * VL ? p[0] : (const char *)memcpy(t, p[0], n))));
}
INLINE vb vb_xor(vb a, vb b) { return simde_mm256_xor_si256(a, b); }
INLINE void interleave(const vb *row, vx *out) {
    out[0] = simde_mm256_unpacklo_epi16(row[0], row[1]);
    out[1] = simde_mm256_unpackhi_epi16(row[0], row[1]);
}
/* n bytes of two vectors, packed twice. */
INLINE void vc_store_pair(uint8_t *p, vc a, size_t n) {
    const simde__m128i x =
        simde_mm256_castsi256_si128(simde_mm256_permute4x64_epi64(a, 0x08 /* 0, 2 */));
    if (n == 2 * VL) {
        simde_mm_storeu_si128((simde__m128i *)p, x);
        return;
    }
    uint8_t t[2 * VL];
    simde_mm_storeu_si128((simde__m128i *)t, x);
    memcpy(p, t, n);
}

#endif

INLINE void va_store(act_t *p, va a, size_t n) {
    if (n == VA_LANES) {
        simde_mm256_storeu_si256((simde__m256i *)p, a);
        return;
    }
    act_t t[VA_LANES];
    simde_mm256_storeu_si256((simde__m256i *)t, a);
    memcpy(p, t, n * sizeof *p);
}
