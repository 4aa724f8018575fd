/** Activations and weights into the form that the microkernels read. The plain loops are vectorized
 * by the compiler, with the tier's flags. */

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
    default: { /* packed nibbles, from element `first` on, which may be a high nibble */
        const uint8_t *x = (const uint8_t *)row->input + row->first / 2;
        const int sign = row->type == NM_INT4 ? 8 : 0; /* (v ^ 8) - 8 extends the sign */
        const int bias = row->type == NM_INT4 ? ACT_BIAS_S4 - sign : 0;
        size_t i = 0;
        if (row->first % 2 && n > 0)
            out[i++] = (act_t)(((*x++ >> 4) ^ sign) + bias);
        for (; i + VA_LANES <= n; i += VA_LANES, x += VA_LANES / 2)
            va_store(out + i, va_add(va_xor(va_nibbles(x), va_set1(sign)), va_set1(bias)),
                     VA_LANES);
        for (; i + 2 <= n; i += 2, ++x) {
            out[i] = (act_t)(((*x & 15) ^ sign) + bias);
            out[i + 1] = (act_t)(((*x >> 4) ^ sign) + bias);
        }
        if (i < n)
            out[i] = (act_t)(((*x & 15) ^ sign) + bias);
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
