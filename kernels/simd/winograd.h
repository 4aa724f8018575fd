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

/** A tile's sums that wait for other positions, [mr][nr] vectors each. */
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
    EACH_VECTOR(m, n, at, mr, nr) vi_store(sum + at, acc[m][n], VL);
}

/** Row b's: `start0` and `start1` are the starts of output rows 0 and 1, [nr * lanes]. */
INLINE void winograd_combine(vi acc[][NM_MAX_NR], const int32_t *start0, const int32_t *start1,
                             int32_t *sum, int32_t *rest, int mr, int nr) {
    EACH_VECTOR(m, n, at, mr, nr) {
        const vi a = vi_load(sum + at);
        vi_store(sum + at, vi_add(vi_add(a, vi_load(start0 + n * VL)), acc[m][n]), VL);
        vi_store(rest + at, vi_sub(vi_add(a, vi_load(start1 + n * VL)), acc[m][n]), VL);
    }
}

/** Rows c's and d's: added to what waits, which makes four times the convolution, and stored. */
INLINE void winograd_finish(const nm_winograd_tile *t, vi acc[][NM_MAX_NR], const int32_t *sum,
                            char *const *output, int mr, int nr) {
    EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_add(acc[m][n], vi_load(sum + at));
    if (t->epilogue->narrow) { /* its scale has the quarter in it */
        UNROLL for (int m = 0; m < mr; m += PIXELS_TOGETHER(nr)) {
            const int pixels = mr - m < PIXELS_TOGETHER(nr) ? mr - m : PIXELS_TOGETHER(nr);
            store_pixels_narrow(t->epilogue, t->channel, t->channels, output + m, acc + m, pixels,
                                nr);
        }
        return;
    }
    vi tile[TILE_VECTORS];
    UNROLL for (int m = 0; m < mr; ++m) {
        UNROLL for (int n = 0; n < nr; ++n) tile[m * nr + n] = vi_srav(acc[m][n], vi_set1(2));
    }
    store_tile_i32(t->epilogue, t->channel, t->channels, output, tile, mr, nr);
}

/** acc += the positions of the next phase. */
INLINE const wt_t *winograd_phase(vi acc[][NM_MAX_NR], const nm_winograd_tile *t, int phase,
                                  const char **x, const wt_t *w, int mr, int nr) {
    int i = t->positions[phase];
    do {
        w = accumulate_int(acc, *x, t->tile_bytes, t->steps, w, mr, nr);
        *x += mr * t->tile_bytes;
    } while (--i > 0);
    return w;
}

INLINE void winograd(const nm_winograd_tile *t, int mr, int nr) {
    winograd_sums sums;
    const char *x = t->input;
    const wt_t *w = t->weights;
    for (int row = 0; row < 4; ++row) {
        vi acc[NM_MAX_MR][NM_MAX_NR];
        EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_set1(0);
        w = winograd_phase(acc, t, 4 * row, &x, w, mr, nr);
        EACH_VECTOR(m, n, at, mr, nr) vi_store(sums.difference + at, acc[m][n], VL);
        w = winograd_phase(acc, t, 4 * row + 1, &x, w, mr, nr);
        EACH_VECTOR(m, n, at, mr, nr) {
            const vi a = vi_load(sums.difference + at);
            vi_store(sums.difference + at, vi_sub(vi_add(a, a), acc[m][n]), VL);
        }
        for (int j = 0; j < 2; ++j) {
            w = winograd_phase(acc, t, 4 * row + 2 + j, &x, w, mr, nr);
            const int32_t *const start = t->start + j * nr * VL;
            if (row == 0)
                winograd_keep(acc, sums.sum[j], mr, nr);
            else if (row == 1)
                winograd_combine(acc, start, start + 2 * nr * VL, sums.sum[j], sums.rest[j], mr,
                                 nr);
            else
                winograd_finish(t, acc, row == 2 ? sums.sum[j] : sums.rest[j],
                                t->output + (2 * (row - 2) + j) * mr, mr, nr);
            EACH_VECTOR(m, n, at, mr, nr) acc[m][n] = vi_load(sums.difference + at);
        }
    }
}

/** x[first] + sign * x[second]. */
INLINE va winograd_position(const va *x, const nm_winograd_position *p) {
    if (p->sign == 0)
        return x[p->first];
    return p->sign > 0 ? va_add(x[p->first], x[p->second]) : va_sub(x[p->first], x[p->second]);
}

/** The transform of one patch: along rows, then along columns, a vector of channels at a time. The
 *  positions are stored in order of execution: the phases' rows, then their columns. */
INLINE void winograd_patch(const nm_winograd_patch *patch, char *output,
                           const nm_winograd_axis *rows, const nm_winograd_axis *columns) {
    const size_t height = rows->positions == 4 ? 4 : 6, width = columns->positions == 4 ? 4 : 6;
    for (size_t c = 0; c < patch->channels; c += VA_LANES) {
        const size_t n = patch->channels - c < VA_LANES ? patch->channels - c : VA_LANES;
        va half[NM_WINOGRAD_MAX_POSITIONS][NM_WINOGRAD_MAX_PATCH];
        UNROLL for (size_t j = 0; j < width; ++j) {
            va x[NM_WINOGRAD_MAX_PATCH];
            UNROLL for (size_t i = 0; i < height; ++i) {
                const char *pixel = (const char *)patch->input + (ptrdiff_t)i * patch->row_bytes +
                                    (ptrdiff_t)j * patch->column_bytes;
                x[i] = va_load((const act_t *)pixel + c);
            }
            UNROLL for (size_t p = 0; p < rows->positions; ++p) half[p][j] =
                winograd_position(x, &rows->position[p]);
        }
        UNROLL for (size_t p = 0; p < rows->positions; ++p) {
            UNROLL for (size_t q = 0; q < columns->positions; ++q) {
                const va y = va_add(winograd_position(half[p], &columns->position[q]),
                                    va_set1(WINOGRAD_BIAS));
                const size_t at = nm_winograd_order(rows, columns, p, q);
                va_store((act_t *)(output + (ptrdiff_t)at * patch->position_bytes) + c, y, n);
            }
        }
    }
}

static void winograd_input(const nm_winograd_patch *patch, void *output) {
    /* constants for the loops above */
    if (patch->five_rows && patch->five_columns)
        winograd_patch(patch, output, &nm_winograd_5, &nm_winograd_5);
    else if (patch->five_rows)
        winograd_patch(patch, output, &nm_winograd_5, &nm_winograd_3);
    else if (patch->five_columns)
        winograd_patch(patch, output, &nm_winograd_3, &nm_winograd_5);
    else
        winograd_patch(patch, output, &nm_winograd_3, &nm_winograd_3);
}
