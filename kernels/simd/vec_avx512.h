/**
 * Vector layer: 512-bit x86 with AVX512-VNNI. Instructions that SIMDe 0.7.4 does not wrap (masked
 * narrow stores, conversions) are issued natively: this file is compiled for x86 only.
 */
#include <simde/x86/avx512.h>

#define VL 16
#define DOT_STEP 4
#define ACT_BIAS_U8 0
#define ACT_BIAS_S8 128
#define ACT_BIAS_S4 8
/* What makes transformed activations of -30..60 fit act_t. */
#define WINOGRAD_BIAS 30
#define VECTOR_REGISTERS 32
/* Of 32 registers: the accumulators, a weight vector per nr (the last may be a memory operand) and
 * the broadcast. */
#define TILES(X) UP_TO_14(X, 1) UP_TO_14(X, 2) UP_TO_9(X, 3) UP_TO_7(X, 4)
#define TILE_MR                                                                                    \
    { 0, 14, 14, 9, 7 }
/* Pixels of a depthwise tile of floats: with two rows of them, their sums and nine weights fill the
 * registers. */
#define DW_PIXELS_F32 4

typedef uint8_t act_t;
typedef int8_t wt_t;
typedef simde__m512i vi;
typedef simde__m512 vf;
typedef simde__m512i vx; /* DOT_STEP activations, in every lane */
typedef simde__m512i vw; /* DOT_STEP weights a lane */

#if defined(SIMDE_X86_AVX512VNNI_NATIVE)
#define VEC_EMULATED false
#else
#define VEC_EMULATED true
#endif

INLINE vi vi_set1(int32_t x) { return simde_mm512_set1_epi32(x); }
INLINE vi vi_load(const int32_t *p) { return simde_mm512_loadu_si512(p); }
INLINE vi vi_add(vi a, vi b) { return simde_mm512_add_epi32(a, b); }
INLINE vi vi_sub(vi a, vi b) { return simde_mm512_sub_epi32(a, b); }
INLINE vi vi_mul(vi a, vi b) { return simde_mm512_mullo_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return simde_mm512_and_si512(a, b); }
INLINE vi vi_min(vi a, vi b) { return simde_mm512_min_epi32(a, b); }
INLINE vi vi_max(vi a, vi b) { return simde_mm512_max_epi32(a, b); }
INLINE vi vi_sllv(vi a, vi n) { return simde_mm512_sllv_epi32(a, n); }
INLINE vi vi_srav(vi a, vi n) { return _mm512_srav_epi32(a, n); }
/* a > b ? 1 : 0 */
INLINE vi vi_gt(vi a, vi b) {
    return _mm512_maskz_set1_epi32(simde_mm512_cmpgt_epi32_mask(a, b), 1);
}

/* (a * b + 2^30) >> 31 in 64 bits: the doubling high multiply for b >= 0 */
INLINE vi vi_doubling_high_mul(vi a, vi b) {
    const vi nudge = _mm512_set1_epi64(1 << 30);
    const vi even = _mm512_add_epi64(simde_mm512_mul_epi32(a, b), nudge);
    const vi odd = _mm512_add_epi64(
        simde_mm512_mul_epi32(simde_mm512_srli_epi64(a, 32), simde_mm512_srli_epi64(b, 32)), nudge);
    return _mm512_mask_blend_epi32(0xAAAA, simde_mm512_srli_epi64(even, 31),
                                   simde_mm512_slli_epi64(odd, 1));
}

INLINE vf vf_set1(float x) { return simde_mm512_set1_ps(x); }
INLINE vf vf_load(const float *p) { return simde_mm512_loadu_ps(p); }
INLINE vf vf_mul(vf a, vf b) { return simde_mm512_mul_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return simde_mm512_fmadd_ps(a, b, c); }
/* A NaN in b is kept, as in the reference. */
INLINE vf vf_min(vf a, vf b) { return simde_mm512_min_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return simde_mm512_max_ps(a, b); }
INLINE vf vf_from_i32(vi a) { return _mm512_cvtepi32_ps(a); }
INLINE vf vf_from_bits(vi a) { return simde_mm512_castsi512_ps(a); }
INLINE vi vi_round_f32(vf a) { return _mm512_cvtps_epi32(a); }

INLINE simde__mmask16 lanes(size_t n) { return (simde__mmask16)((1u << n) - 1); }

INLINE void vi_store(int32_t *p, vi a, size_t n) { _mm512_mask_storeu_epi32(p, lanes(n), a); }
INLINE void vf_store(float *p, vf a, size_t n) { _mm512_mask_storeu_ps(p, lanes(n), a); }
/* The low byte of n lanes. */
INLINE void vi_store_u8(uint8_t *p, vi a, size_t n) {
    _mm512_mask_cvtepi32_storeu_epi8(p, lanes(n), a);
}

INLINE vf vf_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps(lanes(n), p); }
INLINE vx vx_broadcast(const act_t *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return simde_mm512_set1_epi32(x);
}
INLINE vx vx_set1(uint8_t x) { return simde_mm512_set1_epi8((int8_t)x); }
INLINE vx vx_and(vx a, vx b) { return simde_mm512_and_si512(a, b); }
/* Nibbles where they stand: the high ones are 16 times their values. */
#define LOW_NIBBLES 0x0F
#define HIGH_NIBBLES 0xF0
INLINE vw vw_load(const wt_t *p) { return simde_mm512_loadu_si512(p); }
INLINE vi vi_dot(vi acc, vx x, vw w) { return simde_mm512_dpbusd_epi32(acc, x, w); }

/* Nibbles' signs extended. The constants stay in memory: in a loop, they would take registers that
 * the sums need. */
#if defined(__GFNI__)
/* Bit i of a product is the parity of the bits that byte 7 - i of the matrix selects: the lower
 * three bits are copied, the nibble's highest is repeated. */
INLINE vw nibbles(vw bytes, const int64_t *matrix) {
    __asm__ volatile("" : "+r"(matrix));
    return _mm512_gf2p8affine_epi64_epi8(bytes, _mm512_set1_epi64(*matrix), 0);
}
static const int64_t low_matrix = 0x0102040808080808, high_matrix = 0x1020408080808080;
INLINE vw low_nibbles(vw bytes) { return nibbles(bytes, &low_matrix); }
INLINE vw high_nibbles(vw bytes) { return nibbles(bytes, &high_matrix); }
#else
#define LANE_OF_VALUES 0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1
static const int8_t sign_extended[64]
    __attribute__((aligned(64))) = {LANE_OF_VALUES, LANE_OF_VALUES, LANE_OF_VALUES, LANE_OF_VALUES};
static const int32_t low_mask = 0x0F0F0F0F;
INLINE vw low_nibbles(vw bytes) {
    const int8_t *table = sign_extended;
    const int32_t *mask = &low_mask;
    __asm__ volatile("" : "+r"(table), "+r"(mask));
    return simde_mm512_shuffle_epi8(simde_mm512_load_si512(table),
                                    simde_mm512_and_si512(bytes, simde_mm512_set1_epi32(*mask)));
}
INLINE vw high_nibbles(vw bytes) { return low_nibbles(simde_mm512_srli_epi16(bytes, 4)); }
#endif

/* 4 * VL bytes' low nibbles, then their high ones, sign-extended. */
INLINE void expand_nibbles(const int8_t *in, wt_t *low, wt_t *high) {
    const vw bytes = simde_mm512_loadu_si512(in);
    simde_mm512_storeu_si512(low, low_nibbles(bytes));
    simde_mm512_storeu_si512(high, high_nibbles(bytes));
}

/* A vector of activations, modulo 256. */
#define VA_LANES 64
typedef simde__m512i va;

INLINE va va_set1(int x) { return simde_mm512_set1_epi8((int8_t)x); }
INLINE va va_load(const act_t *p) { return simde_mm512_loadu_si512(p); }
INLINE va va_xor(va a, va b) { return simde_mm512_xor_si512(a, b); }
/* The VA_LANES nibbles of VA_LANES / 2 bytes, low ones first. */
INLINE va va_nibbles(const uint8_t *p) {
    const simde__m512i words =
        _mm512_cvtepu8_epi16(simde_mm256_loadu_si256((const simde__m256i *)p));
    return simde_mm512_and_si512(simde_mm512_or_si512(words, simde_mm512_slli_epi16(words, 4)),
                                 simde_mm512_set1_epi8(15));
}
/* Those of n bytes, a whole vector or half of one: only low ones, only high ones. */
INLINE simde__m512i load_bytes(const uint8_t *p, size_t n) {
    return n == VA_LANES
               ? simde_mm512_loadu_si512(p)
               : simde_mm512_castsi256_si512(simde_mm256_loadu_si256((const simde__m256i *)p));
}
INLINE va va_low_nibbles(const uint8_t *p, size_t n) {
    return simde_mm512_and_si512(load_bytes(p, n), simde_mm512_set1_epi8(15));
}
INLINE va va_high_nibbles(const uint8_t *p, size_t n) {
    return simde_mm512_and_si512(simde_mm512_srli_epi16(load_bytes(p, n), 4),
                                 simde_mm512_set1_epi8(15));
}
INLINE va va_add(va a, va b) { return simde_mm512_add_epi8(a, b); }
INLINE va va_sub(va a, va b) { return simde_mm512_sub_epi8(a, b); }
/* Half a vector by half-width instructions, which do not straddle cache lines. */
INLINE void va_store(act_t *p, va a, size_t n) {
    if (n == VA_LANES)
        simde_mm512_storeu_si512(p, a);
    else if (n == VA_LANES / 2)
        simde_mm256_storeu_si256((simde__m256i *)p, simde_mm512_castsi512_si256(a));
    else
        _mm512_mask_storeu_epi8(p, UINT64_MAX >> (VA_LANES - n), a);
}

/* Depthwise: 64 channels, four rows at a time. */
#define DW_VECTORS 4
#define DW_SIGN 0
typedef simde__m512i vb;

INLINE vb vb_set1(uint8_t x) { return simde_mm512_set1_epi8((int8_t)x); }
/* Masks cost little, but a branch around each is worse. */
#define IS_ALL(n, all) (__builtin_constant_p(n) && (n) == (all))
/* n bytes of each of 1, 2 or 4 pixels, side by side. */
#define DW_PIXELS 4
INLINE simde__m128i quarter(const char *p, size_t n) {
    return IS_ALL(n, 16) ? simde_mm_loadu_si128(p)
                         : _mm_maskz_loadu_epi8((simde__mmask16)(0xFFFFu >> (16 - n)), p);
}
INLINE simde__m256i half(const char *p, size_t n) {
    return IS_ALL(n, 32) ? simde_mm256_loadu_si256(p)
                         : _mm256_maskz_loadu_epi8(UINT32_MAX >> (32 - n), p);
}
INLINE vb vb_load(const char *const *p, int pixels, size_t n) {
    if (pixels == 1)
        return IS_ALL(n, 64) ? simde_mm512_loadu_si512(p[0])
                             : _mm512_maskz_loadu_epi8(UINT64_MAX >> (64 - n), p[0]);
    if (pixels == 2)
        return _mm512_inserti64x4(_mm512_castsi256_si512(half(p[0], n)), half(p[1], n), 1);
    vb x = _mm512_castsi128_si512(quarter(p[0], n));
    x = _mm512_inserti32x4(x, quarter(p[1], n), 1);
    x = _mm512_inserti32x4(x, quarter(p[2], n), 2);
    return _mm512_inserti32x4(x, quarter(p[3], n), 3);
}
INLINE vb vb_xor(vb a, vb b) { return simde_mm512_xor_si512(a, b); }
INLINE vx vx_low_nibbles(vx a) { return vx_and(a, vx_set1(LOW_NIBBLES)); }
INLINE vx vx_high_nibbles(vx a) { return vx_and(a, vx_set1(HIGH_NIBBLES)); }
INLINE void interleave(const vb *row, vx *out) {
    const vb low01 = simde_mm512_unpacklo_epi8(row[0], row[1]);
    const vb high01 = simde_mm512_unpackhi_epi8(row[0], row[1]);
    const vb low23 = simde_mm512_unpacklo_epi8(row[2], row[3]);
    const vb high23 = simde_mm512_unpackhi_epi8(row[2], row[3]);
    out[0] = simde_mm512_unpacklo_epi16(low01, low23);
    out[1] = simde_mm512_unpackhi_epi16(low01, low23);
    out[2] = simde_mm512_unpacklo_epi16(high01, high23);
    out[3] = simde_mm512_unpackhi_epi16(high01, high23);
}

/* As weave_bytes() of stage.h. */
#define WEAVES_BYTES
INLINE void weave_bytes(const char *const row[4], bool three, act_t *out) {
    const simde__m512i dwords = _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        vb_load(row, 4, 16));
    const simde__m128i rows4 =
        simde_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const simde__m128i rows3 =
        simde_mm_setr_epi8(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, -1, -1, -1, -1);
    const simde__m512i woven =
        simde_mm512_shuffle_epi8(dwords, simde_mm512_broadcast_i32x4(three ? rows3 : rows4));
    const simde__m512i together =
        _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
    simde_mm512_storeu_si512(out, three ? _mm512_permutexvar_epi32(together, woven) : woven);
}

/* Four vectors of lanes to one of bytes. */
typedef simde__m512i vc;

/* Adds zero_point and saturates to unsigned bytes; four bytes of each vector in turn, within
 * 128-bit lanes, which is the depthwise kernels' channel order. */
INLINE vc vc_pack(const vi *a, int16_t zero_point) {
    const vi zero = simde_mm512_set1_epi16(zero_point);
    const vi low = simde_mm512_adds_epi16(simde_mm512_packs_epi32(a[0], a[1]), zero);
    const vi high = simde_mm512_adds_epi16(simde_mm512_packs_epi32(a[2], a[3]), zero);
    return simde_mm512_packus_epi16(low, high);
}
/* Lanes within int16, of low and of high nibbles, to pairs of words. */
INLINE vi vi_join_halves(vi low, vi high) {
    /* not SIMDe's, as in vc_in_order() */
    const vi to_high_words = _mm512_set4_epi32(0x0D0C0D0C, 0x09080908, 0x05040504, 0x01000100);
    return _mm512_mask_shuffle_epi8(low, 0xCCCCCCCCCCCCCCCC, high, to_high_words);
}
/* Words to unsigned bytes: within 128-bit lanes, the first vector's eight, then the second's. */
INLINE vc vc_pack_words(vi a, vi b) { return simde_mm512_packus_epi16(a, b); }
/* The 128-bit lanes of a and b in turn. */
INLINE void vc_alternate(vc a, vc b, vc *out) {
    out[0] = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), b);
    out[1] = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), b);
}
/* From that order to all of the first vector's bytes, then the second's, ... */
INLINE vc vc_in_order(vc a) {
    /* not SIMDe's, which gcc puts together a lane at a time, in each tile */
    const vi order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return simde_mm512_permutexvar_epi32(order, a);
}
INLINE vc vc_set1(uint8_t x) { return simde_mm512_set1_epi8((int8_t)x); }
INLINE vc vc_clamp(vc a, vc min, vc max) {
    return simde_mm512_max_epu8(min, simde_mm512_min_epu8(max, a));
}
INLINE vc vc_xor(vc a, vc b) { return simde_mm512_xor_si512(a, b); }
INLINE void vc_store(uint8_t *p, vc a, size_t n) {
    if (n == 4 * VL)
        simde_mm512_storeu_si512(p, a);
    else
        _mm512_mask_storeu_epi8(p, (UINT64_C(1) << n) - 1, a);
}
/* The first n bytes of part `part` of `parts`, 1, 2 or 4 equal ones. */
INLINE void vc_store_part(uint8_t *p, vc a, int part, int parts, size_t n) {
    if (parts == 1)
        _mm512_mask_storeu_epi8(p, UINT64_MAX >> (64 - n), a);
    else if (parts == 2)
        _mm256_mask_storeu_epi8(p, UINT32_MAX >> (32 - n),
                                part ? simde_mm512_extracti64x4_epi64(a, 1)
                                     : simde_mm512_castsi512_si256(a));
    else
        _mm_mask_storeu_epi8(p, (simde__mmask16)(0xFFFFu >> (16 - n)),
                             part == 0   ? simde_mm512_castsi512_si128(a)
                             : part == 1 ? _mm512_extracti32x4_epi32(a, 1)
                             : part == 2 ? _mm512_extracti32x4_epi32(a, 2)
                                         : _mm512_extracti32x4_epi32(a, 3));
}
