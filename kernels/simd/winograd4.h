/**
 * Exact integer Winograd, F(4x4, 3x3): tiles of 4x4 outputs of 6x6 pixels, 36 positions, in
 * row-major order. Lavin and Gray's matrices (see winograd_axis.h), but that rows of the filter
 * transform are multiplied until they are integers and little is left to do for the output's:
 *
 *     filter            24 y0, 12 y1..y3 of the sums m0..m5
 *     6  0  0           1 -2 -2  1  1  0
 *     2  2  2           0 -1  1  1 -1  0
 *     2 -2  2           0 -1 -1  2  2  0
 *     1  2  4           0 -1  1  4 -4  1
 *     1 -2  4
 *     0  0 12
 *
 * Two axes make 576, 288 or 144 times the convolution, modulo 2^32. Times the inverse of 9 that is
 * 64, 32 or 16 times it, from which a shift leaves the convolution where it fits 26 bits.
 */

enum { F4_TILE = 4, F4_AXIS = 6, F4_TAPS = 3 };
enum { F4_VECTORS = 12 }; /* most of a tile on these tiers */
enum { INVERSE_OF_9 = 0x38E38E39 };

/** What positions of an axis multiply: 0; 1 and 2; 3 and 4; 5. */
INLINE va f4_input_0(const va *x) {
    return va_add(va_shift(va_sub(x[0], x[2]), 2), va_sub(x[4], x[2]));
}
INLINE void f4_input_1(const va *x, va *y) {
    const va even = va_sub(x[4], va_shift(x[2], 2)), odd = va_sub(x[3], va_shift(x[1], 2));
    y[0] = va_add(even, odd);
    y[1] = va_sub(even, odd);
}
INLINE void f4_input_3(const va *x, va *y) {
    const va even = va_sub(x[4], x[2]), odd = va_shift(va_sub(x[3], x[1]), 1);
    y[0] = va_add(even, odd);
    y[1] = va_sub(even, odd);
}
INLINE va f4_input_5(const va *x) {
    return va_add(va_shift(va_sub(x[1], x[3]), 2), va_sub(x[5], x[3]));
}

INLINE va f4_filter(va a, va b, va c, int p) {
    switch (p) {
    case 0:
        return va_shift(va_add(va_shift(a, 1), a), 1);
    case 1:
        return va_shift(va_add(va_add(a, c), b), 1);
    case 2:
        return va_shift(va_sub(va_add(a, c), b), 1);
    case 3:
        return va_add(va_add(a, va_shift(c, 2)), va_shift(b, 1));
    case 4:
        return va_sub(va_add(a, va_shift(c, 2)), va_shift(b, 1));
    default:
        return va_shift(va_add(va_shift(c, 1), c), 2);
    }
}

INLINE vi times_2(vi a) { return vi_add(a, a); }

INLINE void f4_output(const vi *m, vi *y) {
    const vi s = vi_add(m[1], m[2]), d = vi_sub(m[1], m[2]);
    const vi u = vi_add(m[3], m[4]), v = vi_sub(m[3], m[4]);
    y[0] = vi_add(m[0], vi_sub(u, times_2(s)));
    y[1] = vi_sub(v, d);
    y[2] = vi_sub(times_2(u), s);
    y[3] = vi_add(vi_sllv(v, vi_set1(2)), vi_sub(m[5], d));
}

/** n lanes of a row of positions, of the six pixels of which it is made. */
INLINE void f4_store(const va *pixel, char *out, ptrdiff_t position, size_t n) {
    va y[F4_AXIS];
    y[0] = f4_input_0(pixel);
    f4_input_1(pixel, y + 1);
    f4_input_3(pixel, y + 3);
    y[5] = f4_input_5(pixel);
    UNROLL for (int q = 0; q < F4_AXIS; ++q) va_store((act_t *)(out + q * position), y[q], n);
}

/** n lanes of row p of positions of some tiles; of rows 1 and 2, or 3 and 4, of both. */
INLINE void f4_lanes(const char *in, const nm_winograd_strip *s, int p, char *out,
                     ptrdiff_t position, size_t n) {
    va pixel[2][F4_AXIS];
    UNROLL for (int j = 0; j < F4_AXIS; ++j) {
        const char *const column = in + j % F4_TILE * s->parity_bytes + j / F4_TILE * s->tile_bytes;
        va x[F4_AXIS], y[2];
        UNROLL for (int i = 0; i < F4_AXIS; ++i) x[i] =
            va_load((const act_t *)(column + i * s->row_bytes));
        if (p == 0)
            y[0] = f4_input_0(x);
        else if (p == 1)
            f4_input_1(x, y);
        else if (p == 3)
            f4_input_3(x, y);
        else
            y[0] = f4_input_5(x);
        pixel[0][j] = y[0];
        if (p == 1 || p == 3)
            pixel[1][j] = y[1];
    }
    f4_store(pixel[0], out, position, n);
    if (p == 1 || p == 3)
        f4_store(pixel[1], out + F4_AXIS * position, position, n);
}

/** The same of all a strip's tiles and channels, `position` bytes from one to the next. */
INLINE void f4_strip(const nm_winograd_strip *strip, int p, char *output, ptrdiff_t position) {
    enum { VECTOR = VA_LANES * sizeof(act_t) };
    const nm_winograd_strip s = *strip;
    const char *in = s.input;
    size_t left = s.tiles * (size_t)s.tile_bytes;
    for (; left >= VECTOR; left -= VECTOR, in += VECTOR, output += VECTOR)
        f4_lanes(in, &s, p, output, position, VA_LANES);
    if (left > 0)
        f4_lanes(in, &s, p, output, position, left / sizeof(act_t));
}

static __attribute__((noinline)) void f4_row(const nm_winograd_tile *t, int p, char *output,
                                             ptrdiff_t position) {
    for (const nm_winograd_strip *strip = t->strip; strip < t->strip + t->strips; ++strip) {
        if (p == 0) /* a constant in each */
            f4_strip(strip, 0, output, position);
        else if (p == 1)
            f4_strip(strip, 1, output, position);
        else if (p == 3)
            f4_strip(strip, 3, output, position);
        else
            f4_strip(strip, 5, output, position);
        output += (ptrdiff_t)strip->tiles * t->tile_bytes;
    }
}

static void winograd4_filters(const void *taps, size_t count, void *out) {
    const act_t *const in = taps;
    for (size_t at = 0; at < count; at += VA_LANES) {
        va tap[F4_TAPS][F4_TAPS];
        UNROLL for (size_t i = 0; i < F4_TAPS * F4_TAPS; ++i) tap[i / F4_TAPS][i % F4_TAPS] =
            va_load(in + i * count + at);
        UNROLL for (int p = 0; p < F4_AXIS; ++p) {
            va row[F4_TAPS];
            UNROLL for (int k = 0; k < F4_TAPS; ++k) row[k] =
                f4_filter(tap[0][k], tap[1][k], tap[2][k], p);
            UNROLL for (int q = 0; q < F4_AXIS; ++q)
                va_store((act_t *)out + (size_t)(p * F4_AXIS + q) * (count + NM_WINOGRAD4_GAP) + at,
                         f4_filter(row[0], row[1], row[2], q), VA_LANES);
        }
    }
}

/** The outputs along a row of `vectors` vectors of each of its positions. */
static __attribute__((noinline)) void f4_columns(const int32_t *row, int32_t *columns,
                                                 int vectors) {
    const ptrdiff_t plane = vectors * VL;
    for (int i = 0; i < vectors; ++i, row += VL, columns += VL) {
        vi m[F4_AXIS], y[F4_TILE];
        UNROLL for (int p = 0; p < F4_AXIS; ++p) m[p] = vi_load(row + p * plane);
        f4_output(m, y);
        UNROLL for (int o = 0; o < F4_TILE; ++o) vi_store(columns + o * plane, y[o], VL);
    }
}

/** The outputs along output column `column`, some tiles together; the last stands in for those that
 * are missing. */
INLINE void f4_finish(const nm_winograd_tile *t, bool narrow, bool from_zero,
                      const int32_t *columns, int column, int mr, int nr) {
    const ptrdiff_t plane = (ptrdiff_t)mr * nr * VL;
    narrow_tile epilogue = {0};
    if (narrow)
        epilogue = narrow_epilogue(t->epilogue, from_zero, t->channel, t->channels, nr);
    char *const *const output = t->output + (ptrdiff_t)column * mr;
    const int shift = column == 0 ? 6 : 5, together = PIXELS_TOGETHER(nr);
    columns += column * plane;
    for (int first = 0; first < mr; first += together) {
        vi acc[F4_TILE][4][NM_MAX_NR];
        int tile[4];
        UNROLL for (int k = 0; k < together; ++k) {
            tile[k] = first + k < mr ? first + k : mr - 1;
            UNROLL for (int n = 0; n < nr; ++n) {
                const int32_t *const at = columns + (tile[k] * nr + n) * VL;
                vi m[F4_AXIS], y[F4_TILE];
                UNROLL for (int p = 0; p < F4_AXIS; ++p) m[p] = vi_load(at + p * F4_TILE * plane);
                f4_output(m, y);
                UNROLL for (int i = 0; i < F4_TILE; ++i) acc[i][k][n] =
                    vi_add(vi_srav(vi_mul(y[i], vi_set1(INVERSE_OF_9)), vi_set1(shift - (i > 0))),
                           vi_load(t->start + n * VL));
            }
        }
        UNROLL for (int i = 0; i < F4_TILE; ++i) {
            char *pixel[4];
            UNROLL for (int k = 0; k < together; ++k) pixel[k] = output[i * F4_TILE * mr + tile[k]];
            if (narrow) {
                store_pixels_narrow(&epilogue, pixel, acc[i], together, nr);
                continue;
            }
            vi sums[4];
            UNROLL for (int v = 0; v < 4; ++v) sums[v] = acc[i][v / nr][v % nr];
            store_tile_i32(t->epilogue, t->channel, t->channels, pixel, sums, together, nr);
        }
    }
}

#define F4_STORE(nr)                                                                               \
    static __attribute__((noinline)) void f4_store_##nr(const nm_winograd_tile *t,                 \
                                                        const int32_t *columns, int mr) {          \
        for (int column = 0; column < F4_TILE; ++column) {                                         \
            if (t->epilogue->offset)                                                               \
                f4_finish(t, true, true, columns, column, mr, nr);                                 \
            else if (t->epilogue->narrow)                                                          \
                f4_finish(t, true, false, columns, column, mr, nr);                                \
            else                                                                                   \
                f4_finish(t, false, false, columns, column, mr, nr);                               \
        }                                                                                          \
    }
F4_STORE(1)
F4_STORE(2)

INLINE void winograd4(const nm_winograd_tile *t, int mr, int nr) {
    const int vectors = mr * nr;
    const ptrdiff_t plane = vectors * VL, position = mr * t->tile_bytes;
    int32_t row[F4_AXIS * F4_VECTORS * VL];               /* [position] of a row */
    int32_t columns[F4_AXIS * F4_TILE * F4_VECTORS * VL]; /* [position's row][output column] */
    char *input = t->input;
    const wt_t *w = t->weights;
    for (int p = 0; p < F4_AXIS; ++p) {
        if (t->strips && p != 2 && p != 4)
            f4_row(t, p, input, position);
        for (int q = 0; q < F4_AXIS; ++q, input += position) {
            vi acc[NM_MAX_MR][NM_MAX_NR];
            EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_set1(0);
            w = accumulate_int(acc, input, t->tile_bytes, t->steps, w, NULL, mr, nr);
            winograd_keep(acc, row + q * plane, mr, nr);
            w += NM_WINOGRAD4_GAP;
        }
        f4_columns(row, columns + p * F4_TILE * plane, vectors);
        if (t->transient && p != 1 && p != 3)
            input = t->input;
    }
    (nr == 1 ? f4_store_1 : f4_store_2)(t, columns, mr);
}
