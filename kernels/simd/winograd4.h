/**
 * Exact integer Winograd, F(4x4, 3x3): tiles of 4x4 outputs of 6x6 pixels, 36 positions, in
 * row-major order. Lavin and Gray's matrices (see winograd_axis.h), but for the filter transform,
 * whose rows are multiplied until they are integers without a common factor:
 *
 *     filter            output: 24 y0..y3 of the sums m0..m5
 *     1  0  0           6 -4 -4  1  1  0
 *     1  1  1           0 -4  4  2 -2  0
 *     1 -1  1           0 -4 -4  4  4  0
 *     1  2  4           0 -4  4  8 -8 24
 *     1 -2  4
 *     0  0  1
 *
 * Two axes make 576 times the convolution, modulo 2^32. Times the inverse of 9 that is 64 times it,
 * from which a shift leaves the convolution where it fits 26 bits.
 */

enum { F4_TILE = 4, F4_AXIS = 6, F4_TAPS = 3 };
enum { F4_VECTORS = 12 }; /* most of a tile on these tiers */
enum { INVERSE_OF_9 = 0x38E38E39, F4_SHIFT = 6 };

/** What position p of an axis multiplies. */
INLINE va f4_input(const va *x, int p) {
    switch (p) {
    case 0:
        return va_add(va_shift(va_sub(x[0], x[2]), 2), va_sub(x[4], x[2]));
    case 1:
        return va_sub(va_add(x[3], x[4]), va_shift(va_add(x[1], x[2]), 2));
    case 2:
        return va_add(va_sub(x[4], x[3]), va_shift(va_sub(x[1], x[2]), 2));
    case 3:
        return va_add(va_sub(x[4], x[2]), va_shift(va_sub(x[3], x[1]), 1));
    case 4:
        return va_sub(va_sub(x[4], x[2]), va_shift(va_sub(x[3], x[1]), 1));
    default:
        return va_add(va_shift(va_sub(x[1], x[3]), 2), va_sub(x[5], x[3]));
    }
}

INLINE va f4_filter(va a, va b, va c, int p) {
    switch (p) {
    case 0:
        return a;
    case 1:
        return va_add(va_add(a, c), b);
    case 2:
        return va_sub(va_add(a, c), b);
    case 3:
        return va_add(va_add(a, va_shift(c, 2)), va_shift(b, 1));
    case 4:
        return va_sub(va_add(a, va_shift(c, 2)), va_shift(b, 1));
    default:
        return c;
    }
}

INLINE vi times_2(vi a) { return vi_add(a, a); }
INLINE vi times_4(vi a) { return vi_sllv(a, vi_set1(2)); }

INLINE void f4_output(const vi *m, vi *y) {
    const vi s = vi_add(m[1], m[2]), d = vi_sub(m[1], m[2]);
    const vi u = vi_add(m[3], m[4]), v = times_2(vi_sub(m[3], m[4]));
    y[0] = vi_add(vi_add(times_4(vi_sub(m[0], s)), times_2(m[0])), u);
    y[1] = vi_sub(v, times_4(d));
    y[2] = times_4(vi_sub(u, s));
    y[3] = times_4(vi_sub(vi_add(vi_add(times_4(m[5]), times_2(m[5])), v), d));
}

/** n lanes of row p of positions of some tiles. */
INLINE void f4_lanes(const char *in, const nm_winograd_strip *s, int p, act_t *const *out,
                     size_t at, size_t n) {
    va pixel[F4_AXIS];
    UNROLL for (int j = 0; j < F4_AXIS; ++j) {
        const char *const column = in + j % F4_TILE * s->parity_bytes + j / F4_TILE * s->tile_bytes;
        va x[F4_AXIS];
        UNROLL for (int i = 0; i < F4_AXIS; ++i) x[i] =
            va_load((const act_t *)(column + i * s->row_bytes) + at);
        pixel[j] = f4_input(x, p);
    }
    UNROLL for (int q = 0; q < F4_AXIS; ++q) va_store(out[q] + at, f4_input(pixel, q), n);
}

/** Row p of positions of all a strip's tiles and channels, `position` bytes from one to the next.
 */
INLINE void f4_strip(const nm_winograd_strip *strip, int p, char *output, ptrdiff_t position) {
    const nm_winograd_strip s = *strip;
    const size_t run = s.tiles * (size_t)s.tile_bytes / sizeof(act_t);
    act_t *out[F4_AXIS];
    UNROLL for (int q = 0; q < F4_AXIS; ++q) out[q] = (act_t *)(output + q * position);
    size_t at = 0;
    for (; at + VA_LANES <= run; at += VA_LANES)
        f4_lanes(s.input, &s, p, out, at, VA_LANES);
    if (at < run)
        f4_lanes(s.input, &s, p, out, at, run - at);
}

static __attribute__((noinline)) void f4_row(const nm_winograd_tile *t, int p, char *output,
                                             ptrdiff_t position) {
    for (const nm_winograd_strip *strip = t->strip; strip < t->strip + t->strips; ++strip) {
        switch (p) { /* a constant in each */
        case 0:
            f4_strip(strip, 0, output, position);
            break;
        case 1:
            f4_strip(strip, 1, output, position);
            break;
        case 2:
            f4_strip(strip, 2, output, position);
            break;
        case 3:
            f4_strip(strip, 3, output, position);
            break;
        case 4:
            f4_strip(strip, 4, output, position);
            break;
        default:
            f4_strip(strip, 5, output, position);
        }
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

/** The outputs along an axis of `vectors` vectors of each of six positions. */
static __attribute__((noinline)) void f4_outputs(const int32_t *six, ptrdiff_t from, int32_t *four,
                                                 ptrdiff_t to, int vectors) {
    for (int i = 0; i < vectors; ++i, six += VL, four += VL) {
        vi m[F4_AXIS], y[F4_TILE];
        UNROLL for (int p = 0; p < F4_AXIS; ++p) m[p] = vi_load(six + p * from);
        f4_output(m, y);
        UNROLL for (int o = 0; o < F4_TILE; ++o) vi_store(four + o * to, y[o], VL);
    }
}

INLINE void winograd4(const nm_winograd_tile *t, int mr, int nr) {
    const int vectors = mr * nr;
    const ptrdiff_t plane = vectors * VL;
    int32_t row[F4_AXIS * F4_VECTORS * VL];               /* [position] of a row */
    int32_t columns[F4_AXIS * F4_TILE * F4_VECTORS * VL]; /* [position's row][output column] */
    char *input = t->input;
    const wt_t *w = t->weights;
    for (int p = 0; p < F4_AXIS; ++p) {
        if (t->strips)
            f4_row(t, p, input, mr * t->tile_bytes);
        const char *x = input;
        for (int q = 0; q < F4_AXIS; ++q, x += mr * t->tile_bytes) {
            vi acc[NM_MAX_MR][NM_MAX_NR];
            EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_set1(0);
            w = accumulate_int(acc, x, t->tile_bytes, t->steps, w, NULL, mr, nr);
            winograd_keep(acc, row + q * plane, mr, nr);
            w += NM_WINOGRAD4_GAP;
        }
        f4_outputs(row, plane, columns + p * F4_TILE * plane, plane, vectors);
        if (!t->transient)
            input += x - input;
    }
    for (int column = 0; column < F4_TILE; ++column) {
        int32_t outputs[F4_TILE * F4_VECTORS * VL]; /* [output row] */
        f4_outputs(columns + column * plane, F4_TILE * plane, outputs, plane, vectors);
        for (int i = 0; i < F4_TILE; ++i) {
            vi acc[NM_MAX_MR][NM_MAX_NR];
            const int32_t *const sum = outputs + i * plane;
            EACH_VECTOR(m, n, at, mr, nr) {
                const vi product = vi_mul(vi_load(sum + at), vi_set1(INVERSE_OF_9));
                acc[m][n] = vi_add(vi_srav(product, vi_set1(F4_SHIFT)), vi_load(t->start + n * VL));
            }
            winograd_output(t, acc, 0, t->output + (i * F4_TILE + column) * mr, mr, nr);
        }
    }
}
