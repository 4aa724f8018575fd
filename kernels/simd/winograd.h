/**
 * Exact integer Winograd, F(2x2): see winograd.c for the algebra and nm_winograd_tile for the
 * layout. The output transform is folded into the order of accumulation, so that no 16 buffers of
 * accumulators exist: along each axis
 *
 *     y0 = a + b + c        where a, b, c, d are the sums of the four phases' positions
 *     y1 = a - b + d
 *
 * A row of phases runs a, then b on top of it (so that a - b = 2 a - (a + b)), then c on top of
 * both, which is y0; then d on top of a - b, which is y1. The rows combine likewise: a's outputs
 * wait in memory, b's turn them into the starts a + b and a - b of c's and d's, which are
 * requantized from their registers.
 */

/** a + sign * b; a alone for sign 0. */
INLINE va winograd_pair(va a, va b, int sign) {
    return sign == 0 ? a : sign > 0 ? va_add(a, b) : va_sub(a, b);
}

/** Of the two rows of pixels that a row of positions adds: the even and the odd ones. */
typedef const char *winograd_pixels[2][2];

/** n lanes of a row of positions; `tile` bytes lie from pixel to pixel of a parity. */
INLINE void transform_lanes(winograd_pixels in, ptrdiff_t tile, int sign, act_t *const *out,
                            size_t at, size_t n, const nm_winograd_axis *columns) {
    va pixel[NM_WINOGRAD_MAX_PATCH];
    UNROLL for (int i = 0; i < (int)nm_winograd_patch(columns); ++i) pixel[i] =
        winograd_pair(va_load((const act_t *)(in[0][i % 2] + i / 2 * tile)),
                      va_load((const act_t *)(in[1][i % 2] + i / 2 * tile)), sign);
    UNROLL for (size_t q = 0; q < columns->positions; ++q) {
        const nm_winograd_position *c = &columns->position[q];
        const va x = winograd_pair(pixel[c->first], pixel[c->second], c->sign);
        va_store(out[q] + at, va_add(x, va_set1(WINOGRAD_BIAS)), n);
    }
}

/** A row of phases of all a strip's tiles and channels. `position` bytes lie from position to
 *  position of the output. */
INLINE void transform_strip(const nm_winograd_strip *strip, size_t phase, char *output,
                            ptrdiff_t position, const nm_winograd_axis *rows,
                            const nm_winograd_axis *columns) {
    const nm_winograd_strip s = *strip; /* which stores of bytes do not change */
    const size_t run = s.tiles * (size_t)s.tile_bytes / sizeof(act_t);
    const size_t begin = rows->first[phase], end = begin + rows->phase[phase];
    UNROLL for (size_t p = 0; p < rows->positions; ++p) {
        if (p < begin || p >= end) /* p is a constant, too */
            continue;
        const nm_winograd_position *row = &rows->position[p];
        const char *const first = (const char *)s.input + row->first * s.row_bytes;
        const char *const second = (const char *)s.input + row->second * s.row_bytes;
        winograd_pixels in = {{first, first + s.parity_bytes}, {second, second + s.parity_bytes}};
        act_t *out[NM_WINOGRAD_MAX_POSITIONS];
        UNROLL for (size_t q = 0; q < columns->positions; ++q) out[q] =
            (act_t *)(output + (ptrdiff_t)nm_winograd_place(rows, columns, p, q) * position);
        size_t at = 0;
        for (; at + VA_LANES <= run; at += VA_LANES) {
            transform_lanes(in, s.tile_bytes, row->sign, out, at, VA_LANES, columns);
            UNROLL for (int i = 0; i < 4; ++i) in[i / 2][i % 2] += VA_LANES * sizeof(act_t);
        }
        if (at < run)
            transform_lanes(in, s.tile_bytes, row->sign, out, at, run - at, columns);
    }
}

/* The axes are constants for the loops above. */
#define WITH_AXES(strip, call)                                                                     \
    do {                                                                                           \
        if ((strip)->five_rows && (strip)->five_columns)                                           \
            call(&nm_winograd_5, &nm_winograd_5);                                                  \
        else if ((strip)->five_rows)                                                               \
            call(&nm_winograd_5, &nm_winograd_3);                                                  \
        else if ((strip)->five_columns)                                                            \
            call(&nm_winograd_3, &nm_winograd_5);                                                  \
        else                                                                                       \
            call(&nm_winograd_3, &nm_winograd_3);                                                  \
    } while (0)

INLINE void copy_pixel(const char *from, char *to, size_t bytes) {
    enum { VECTOR = VA_LANES * sizeof(act_t) };
    for (; bytes >= VECTOR; bytes -= VECTOR, from += VECTOR, to += VECTOR)
        va_store((act_t *)to, va_load((const act_t *)from), VA_LANES);
    if (bytes)
        va_store((act_t *)to, va_load((const act_t *)from), bytes / sizeof(act_t));
}

INLINE void part_pixels(const char *row, size_t pixels, size_t bytes, size_t stride, size_t parts,
                        size_t part_bytes, char *out) {
    for (size_t i = 0; i < pixels; i += parts, out += stride)
        for (size_t p = 0; p < parts && i + p < pixels; ++p, row += bytes)
            copy_pixel(row, out + p * part_bytes, bytes);
}

static void winograd_part(const void *row, size_t pixels, size_t bytes, size_t stride, size_t parts,
                          size_t part_bytes, void *out) {
    enum { HALF = VA_LANES / 2 * sizeof(act_t) };
    if (bytes == HALF && parts == 2) /* constants; this one needs no mask */
        part_pixels(row, pixels, HALF, stride, 2, part_bytes, out);
    else
        part_pixels(row, pixels, bytes, stride, parts, part_bytes, out);
}

/** Transforms row of phases `phase` of a tile's input, `position` bytes from position to position.
 */
static __attribute__((noinline)) void winograd_rows(const nm_winograd_tile *t, size_t phase,
                                                    char *output, ptrdiff_t position) {
    for (const nm_winograd_strip *strip = t->strip; strip < t->strip + t->strips; ++strip) {
#define CALL(rows, columns) transform_strip(strip, phase, output, position, rows, columns)
        WITH_AXES(strip, CALL);
#undef CALL
        output += (ptrdiff_t)strip->tiles * t->tile_bytes;
    }
}

/** Weights as the microkernels' elements. */
INLINE va load_taps(const int8_t *taps) {
    wt_t w[VA_LANES];
    for (int i = 0; i < VA_LANES; ++i)
        w[i] = taps[i];
    return va_load((const act_t *)w);
}

/** The sum of factor[k] * w[k]; factors are -2..2. */
INLINE va combine_taps(const int8_t *factor, const va *w, size_t taps) {
    va sum = va_set1(0);
    UNROLL for (size_t k = 0; k < taps; ++k) {
        UNROLL for (int i = 0; i < 2; ++i) {
            if (factor[k] > i)
                sum = va_add(sum, w[k]);
            else if (factor[k] < -i)
                sum = va_sub(sum, w[k]);
        }
    }
    return sum;
}

/** n lanes of filters at all positions, from lane `at` on. */
INLINE void transform_taps(const nm_winograd_filters *f, size_t at, size_t n, act_t *out,
                           const nm_winograd_axis *rows, const nm_winograd_axis *columns) {
    const size_t height = nm_winograd_taps(rows), width = nm_winograd_taps(columns);
    va tap[NM_WINOGRAD_MAX_TAPS][NM_WINOGRAD_MAX_TAPS]; /* [width][height] */
    UNROLL for (size_t kh = 0; kh < height; ++kh) {
        UNROLL for (size_t kw = 0; kw < width; ++kw) {
            tap[kw][kh] = load_taps(f->taps + (kh * width + kw) * f->count + at);
        }
    }
    UNROLL for (size_t p = 0; p < rows->positions; ++p) {
        va row[NM_WINOGRAD_MAX_TAPS];
        UNROLL for (size_t kw = 0; kw < width; ++kw) {
            row[kw] = combine_taps(rows->position[p].filter, tap[kw], height);
        }
        UNROLL for (size_t q = 0; q < columns->positions; ++q) {
            act_t *const to = out + nm_winograd_order(rows, columns, p, q) * f->count + at;
            va_store(to, combine_taps(columns->position[q].filter, row, width), n);
        }
    }
}

INLINE void transform_filters(const nm_winograd_filters *f, act_t *out,
                              const nm_winograd_axis *rows, const nm_winograd_axis *columns) {
    size_t at = 0;
    for (; at + VA_LANES <= f->count; at += VA_LANES)
        transform_taps(f, at, VA_LANES, out, rows, columns);
    if (at < f->count)
        transform_taps(f, at, f->count - at, out, rows, columns);
}

static void winograd_filters(const nm_winograd_filters *f, void *out) {
#define CALL(rows, columns) transform_filters(f, out, rows, columns)
    WITH_AXES(f, CALL);
#undef CALL
}

/** A tile's sums that wait for other positions, [mr][nr] vectors each. Their addresses are read
 * again before each use, or gcc would keep that of each vector, in memory. */
typedef struct winograd_sums {
    int32_t difference[TILE_VECTORS * VL]; /* of this row: a - b */
    int32_t sum[2][TILE_VECTORS * VL];     /* of rows, by column output: a, then a + b */
    int32_t rest[2][TILE_VECTORS * VL];    /* a - b */
} winograd_sums;

#define EACH_VECTOR(m, n, at, mr, nr)                                                              \
    UNROLL for (int m = 0; m < (mr); ++m)                                                          \
        UNROLL for (int n = 0, at = m * (nr)*VL; n < (nr); ++n, at += VL)

/** Row a's column output waits. */
INLINE void winograd_keep(vi acc[][NM_MAX_NR], int32_t *sum, int mr, int nr) {
    READ_AGAIN(sum);
    EACH_VECTOR(m, n, at, mr, nr) vi_store(sum + at, acc[m][n], VL);
}

/** Row b's: `start0` and `start1` are the starts of output rows 0 and 1, [nr * lanes]. */
INLINE void winograd_combine(vi acc[][NM_MAX_NR], const int32_t *start0, const int32_t *start1,
                             int32_t *sum, int32_t *rest, int mr, int nr) {
    READ_AGAIN(sum);
    READ_AGAIN(rest);
    EACH_VECTOR(m, n, at, mr, nr) {
        const vi a = vi_load(sum + at);
        vi_store(sum + at, vi_add(vi_add(a, vi_load(start0 + n * VL)), acc[m][n]), VL);
        vi_store(rest + at, vi_sub(vi_add(a, vi_load(start1 + n * VL)), acc[m][n]), VL);
    }
}

INLINE void winograd_store(const nm_winograd_tile *t, bool from_zero, vi acc[][NM_MAX_NR],
                           char *const *output, int mr, int nr) {
    const narrow_tile narrow = narrow_epilogue(t->epilogue, from_zero, t->channel, t->channels, nr);
    UNROLL for (int m = 0; m < mr; m += PIXELS_TOGETHER(nr)) {
        const int pixels = mr - m < PIXELS_TOGETHER(nr) ? mr - m : PIXELS_TOGETHER(nr);
        store_pixels_narrow(&narrow, output + m, acc + m, pixels, nr);
    }
}

/** Rows c's and d's: added to what waits, which makes four times the convolution, and stored. */
INLINE void winograd_finish(const nm_winograd_tile *t, vi acc[][NM_MAX_NR], const int32_t *sum,
                            char *const *output, int mr, int nr) {
    READ_AGAIN(sum);
    EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_add(acc[m][n], vi_load(sum + at));
    if (t->epilogue->offset) { /* its scale has the quarter in it */
        winograd_store(t, true, acc, output, mr, nr);
        return;
    }
    if (t->epilogue->narrow) { /* likewise */
        winograd_store(t, false, acc, output, mr, nr);
        return;
    }
    vi tile[TILE_VECTORS];
    UNROLL for (int m = 0; m < mr; ++m) {
        UNROLL for (int n = 0; n < nr; ++n) tile[m * nr + n] = vi_srav(acc[m][n], vi_set1(2));
    }
    store_tile_i32(t->epilogue, t->channel, t->channels, output, tile, mr, nr);
}

/* WINOGRAD_DOT: what a dot product costs in those of accumulate_tile(). */
#if defined(SUM_STEPS_8)
#define WINOGRAD_DOT 1.25F
/** As accumulate_int(), with sums of two steps taken in 16 bits: four products of transformed
 *  4-bit operands come to 4 * 90 * 72 at most, as the positions with larger weights have smaller
 *  activations (4 * 60 * 96 and 4 * 45 * 128). */
INLINE const wt_t *accumulate_transformed(vi acc[][NM_MAX_NR], const char *x, ptrdiff_t stride,
                                          size_t steps, const wt_t *w, const int8_t **packed,
                                          int mr, int nr) {
    enum { STEP = DOT_STEP * sizeof(act_t) };
    const size_t vector = VL * DOT_STEP;
    const char *pixel[POINTERS(NM_MAX_MR)];
    UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] = x + 3 * i * stride;
    size_t pairs = steps / 2;
    if (pairs > 0)
        do {
            UNROLL for (int m = 0; m < mr; ++m) {
                const char *const at = PIXEL(pixel, m, stride);
                const vx first = vx_broadcast((const act_t *)at);
                const vx second = vx_broadcast((const act_t *)(at + STEP));
                UNROLL for (int n = 0; n < nr; ++n) {
                    const wt_t *const v = w + n * vector;
                    const vs sum =
                        vs_dot(vs_product(first, vw_load(v)), second, vw_load(v + nr * vector));
                    acc[m][n] = vs_widen(acc[m][n], sum);
                }
            }
            UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] += 2 * STEP;
            w += 2 * nr * vector;
        } while (--pairs > 0);
    if (steps % 2)
        w = accumulate_int(acc, x + (steps - 1) * STEP, stride, 1, w, packed, mr, nr);
    return w;
}
#else
#define WINOGRAD_DOT 1.0F
#define accumulate_transformed accumulate_int
#endif

/** acc += the positions of the next phase. */
INLINE const wt_t *winograd_phase(vi acc[][NM_MAX_NR], const nm_winograd_tile *t, int phase,
                                  const char **x, const wt_t *w, const int8_t **packed, int mr,
                                  int nr) {
    int i = t->positions[phase];
    do {
        w = accumulate_transformed(acc, *x, t->tile_bytes, t->steps, w, packed, mr, nr);
        *x += mr * t->tile_bytes;
    } while (--i > 0);
    return w;
}

INLINE void winograd(const nm_winograd_tile *t, bool expanding, int mr, int nr) {
    winograd_sums sums;
    char *input = t->input;
    const wt_t *w = t->weights;
    const int8_t *bytes = t->packed, **packed = expanding ? &bytes : NULL;
    for (int row = 0; row < 4; ++row) {
        if (t->strips)
            winograd_rows(t, (size_t)row, input, mr * t->tile_bytes);
        const char *x = input;
        vi acc[NM_MAX_MR][NM_MAX_NR];
        EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_set1(0);
        w = winograd_phase(acc, t, 4 * row, &x, w, packed, mr, nr);
        int32_t *difference = sums.difference;
        READ_AGAIN(difference);
        EACH_VECTOR(m, n, at, mr, nr) vi_store(difference + at, acc[m][n], VL);
        w = winograd_phase(acc, t, 4 * row + 1, &x, w, packed, mr, nr);
        READ_AGAIN(difference);
        EACH_VECTOR(m, n, at, mr, nr) {
            const vi a = vi_load(difference + at);
            vi_store(difference + at, vi_sub(vi_add(a, a), acc[m][n]), VL);
        }
        for (int j = 0; j < 2; ++j) {
            w = winograd_phase(acc, t, 4 * row + 2 + j, &x, w, packed, mr, nr);
            const int32_t *const start = t->start + j * nr * VL;
            if (row == 0)
                winograd_keep(acc, sums.sum[j], mr, nr);
            else if (row == 1)
                winograd_combine(acc, start, start + 2 * nr * VL, sums.sum[j], sums.rest[j], mr,
                                 nr);
            else
                winograd_finish(t, acc, row == 2 ? sums.sum[j] : sums.rest[j],
                                t->output + (2 * (row - 2) + j) * mr, mr, nr);
            READ_AGAIN(difference);
            if (j == 0)
                EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_load(difference + at);
        }
        if (!t->transient)
            input += x - input;
    }
}
