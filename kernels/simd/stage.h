/** Activations and weights into the form that the microkernels read. The plain loops are vectorized
 * by the compiler, with the tier's flags. */
#include <simde/x86/ssse3.h>

INLINE va finish_nibbles(va x, int sign, int bias) {
    return va_add(va_xor(x, va_set1(sign)), va_set1(bias));
}

/** Blocks of 2 * `block` nibbles: no shuffle, as they need not be in order. */
INLINE void stage_blocks(const nm_stage_row *row, act_t *out, size_t block, int sign, int bias) {
    const uint8_t *x = (const uint8_t *)row->input + row->first / 2;
    enum { AHEAD = 1024 };
    for (const act_t *end = out + row->count; out < end; out += 2 * block, x += block) {
        __builtin_prefetch(x + AHEAD);
        va_store(out, finish_nibbles(va_low_nibbles(x, block), sign, bias), block);
        va_store(out + block, finish_nibbles(va_high_nibbles(x, block), sign, bias), block);
    }
}

/** Packed nibbles, from element `first` on, which may be a high nibble: (v ^ sign) + bias. */
INLINE void stage_nibbles(const nm_stage_row *row, act_t *restrict out, int sign, int bias) {
    if (row->block == VA_LANES) {
        stage_blocks(row, out, VA_LANES, sign, bias);
        return;
    }
    if (row->block == VA_LANES / 2) {
        stage_blocks(row, out, VA_LANES / 2, sign, bias);
        return;
    }
    const uint8_t *x = (const uint8_t *)row->input + row->first / 2;
    const size_t n = row->count;
    size_t i = 0;
    if (row->first % 2 && n > 0)
        out[i++] = (act_t)(((*x++ >> 4) ^ sign) + bias);
    for (; i + VA_LANES <= n; i += VA_LANES, x += VA_LANES / 2)
        va_store(out + i, finish_nibbles(va_nibbles(x), sign, bias), VA_LANES);
    if (i >= VA_LANES && i < n && (n - i) % 2 == 0) { /* once more some that are done */
        x -= (VA_LANES - (n - i)) / 2;
        i = n - VA_LANES;
        va_store(out + i, finish_nibbles(va_nibbles(x), sign, bias), VA_LANES);
        return;
    }
    for (; i + 2 <= n; i += 2, ++x) {
        out[i] = (act_t)(((*x & 15) ^ sign) + bias);
        out[i + 1] = (act_t)(((*x >> 4) ^ sign) + bias);
    }
    if (i < n)
        out[i] = (act_t)(((*x & 15) ^ sign) + bias);
}

static void stage(const nm_stage_row *row, void *output) {
    act_t *restrict out = output;
    const size_t n = row->count;
    switch (row->type) {
    case NM_UINT8: {
        const uint8_t *x = row->input;
        for (size_t i = 0; i < n; ++i)
            out[i] = (act_t)(x[i] + ACT_BIAS_U8);
        break;
    }
    case NM_INT8: {
        const int8_t *x = row->input;
        for (size_t i = 0; i < n; ++i)
            out[i] = (act_t)(x[i] + ACT_BIAS_S8);
        break;
    }
    case NM_INT4: /* (v ^ 8) - 8 extends the sign */
        stage_nibbles(row, out, 8, ACT_BIAS_S4 - 8);
        break;
    default:
        stage_nibbles(row, out, 0, 0);
    }
}

/** A byte of each of four rows in turn, 16 times; or of the first three, with up to 16 bytes too
 *  many after them. */
#if !defined(WEAVES_BYTES)
INLINE void weave_bytes(const char *const row[4], bool three, act_t *output) {
    uint8_t *const out = (uint8_t *)output;
    simde__m128i x[4];
    UNROLL for (int r = 0; r < 4; ++r) x[r] = simde_mm_loadu_si128(row[r]);
    const simde__m128i low01 = simde_mm_unpacklo_epi8(x[0], x[1]);
    const simde__m128i high01 = simde_mm_unpackhi_epi8(x[0], x[1]);
    const simde__m128i low23 = simde_mm_unpacklo_epi8(x[2], x[3]);
    const simde__m128i high23 = simde_mm_unpackhi_epi8(x[2], x[3]);
    const simde__m128i woven[4] = {
        simde_mm_unpacklo_epi16(low01, low23), simde_mm_unpackhi_epi16(low01, low23),
        simde_mm_unpacklo_epi16(high01, high23), simde_mm_unpackhi_epi16(high01, high23)};
    const simde__m128i first3 =
        simde_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    UNROLL for (int i = 0; i < 4; ++i) {
        if (three)
            simde_mm_storeu_si128(out + 12 * i, simde_mm_shuffle_epi8(woven[i], first3));
        else
            simde_mm_storeu_si128(out + 16 * i, woven[i]);
    }
}
#endif

static void weave(const void *const *row, size_t rows, size_t count, void *output) {
    enum { BLOCK = 16 };
    act_t *restrict out = output;
    if (rows == 1) {
        memcpy(out, row[0], count * sizeof(act_t));
    } else if (rows == 2) {
        const act_t *a = row[0], *b = row[1];
        for (size_t i = 0; i < count; ++i) {
            out[2 * i] = a[i];
            out[2 * i + 1] = b[i];
        }
    } else if (count < BLOCK) {
        for (size_t i = 0; i < count; ++i)
            for (size_t r = 0; r < rows; ++r)
                out[i * rows + r] = ((const act_t *)row[r])[i];
    } else {
        for (size_t i = 0;;) {
            const char *block[4];
            for (size_t r = 0; r < 4; ++r)
                block[r] = (const char *)row[r < rows ? r : 0] + i;
            weave_bytes(block, rows == 3, out + i * rows);
            if (i + BLOCK >= count)
                break;
            i = i + 2 * BLOCK <= count ? i + BLOCK : count - BLOCK; /* the last may overlap */
        }
    }
}

static void fill(void *output, size_t count, int32_t value) {
    act_t *out = output;
    for (size_t i = 0; i < count; ++i)
        out[i] = (act_t)value;
}

static void expand(const void *packed, bool int4, size_t count, void *weights) {
    wt_t *restrict out = weights;
    const int8_t *in = packed;
    if (!int4) {
        for (size_t i = 0; i < count; ++i)
            out[i] = in[i];
        return;
    }
    for (size_t i = 0; i < count; i += 2 * EXPAND_BLOCK, in += EXPAND_BLOCK)
        expand_nibbles(in, out + i, out + i + EXPAND_BLOCK);
}

static void expand_high(const void *packed, size_t count, void *weights) {
    wt_t *restrict out = weights;
    const uint8_t *in = packed;
    for (size_t i = 0; i < count; i += 2 * EXPAND_BLOCK, in += EXPAND_BLOCK)
        for (size_t j = 0; j < EXPAND_BLOCK; ++j) {
            out[i + j] = (int8_t)(uint8_t)(in[j] << 4);
            out[i + EXPAND_BLOCK + j] = (int8_t)(in[j] & 0xF0);
        }
}
