/** Activations and weights into the form that the microkernels read. The plain loops are vectorized
 * by the compiler, with the tier's flags. */

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
