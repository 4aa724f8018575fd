/**
 * Exact integer Winograd, F(2x2): see winograd.c for the algebra and nm_winograd_tile for the
 * layout. The output transform is folded into the order of accumulation, so that no 16 buffers of
 * accumulators exist: along each axis
 *
 *     y0 = a + b + c        where a, b, c, d are the sums of the four phases' positions
 *     y1 = a - b + d
 *
 * A row of phases runs a, then b on top of it (so that a - b = 2 a - (a + b)), then c on top of
 * both, which is y0; then d on top of a - b, which is y1. The rows combine likewise.
 */

/** MR tiles' worth of one row's y0 or y1, folded into the sums over rows. */
typedef struct winograd_rows {
    vi sum[2][TILE_VECTORS];        /* of rows a and b: y0's share, by column output */
    vi difference[2][TILE_VECTORS]; /* a - b: y1's */
} winograd_rows;

/** Stores output (i, j) of every tile; `acc` holds four times the convolution. */
INLINE void winograd_store(const nm_winograd_tile *t, int output, vi *acc, int mr, int nr) {
    if (!t->epilogue->narrow) { /* the narrow epilogue's scale has the quarter in it */
        for (int i = 0; i < mr * nr; ++i)
            acc[i] = vi_srav(acc[i], vi_set1(2));
    }
    store_tile_i32(t->epilogue, t->channel, t->channels, t->output + output * mr, acc, mr, nr);
}

/** Takes in row `row`'s column output j. */
static __attribute__((noinline)) void winograd_fold(const nm_winograd_tile *t, winograd_rows *rows,
                                                    int row, int j, vi *acc, int mr, int nr) {
    vi *const sum = rows->sum[j], *const difference = rows->difference[j];
    const int count = mr * nr;
    switch (row) {
    case 0:
        for (int i = 0; i < count; ++i)
            sum[i] = acc[i];
        break;
    case 1:
        for (int n = 0; n < nr; ++n) {
            const vi start0 = vi_load(t->start + (j * nr + n) * VL);
            const vi start1 = vi_load(t->start + ((2 + j) * nr + n) * VL);
            for (int i = n; i < count; i += nr) {
                const vi a = sum[i];
                sum[i] = vi_add(vi_add(a, start0), acc[i]);
                difference[i] = vi_sub(vi_add(a, start1), acc[i]);
            }
        }
        break;
    case 2:
        for (int i = 0; i < count; ++i)
            acc[i] = vi_add(acc[i], sum[i]);
        winograd_store(t, j, acc, mr, nr);
        break;
    default:
        for (int i = 0; i < count; ++i)
            acc[i] = vi_add(acc[i], difference[i]);
        winograd_store(t, 2 + j, acc, mr, nr);
    }
}

/** acc += the positions of the next phase. */
INLINE const wt_t *winograd_phase(vi acc[][NM_MAX_NR], const nm_winograd_tile *t, int phase,
                                  const char **x, const wt_t *w, int mr, int nr) {
    for (int i = t->positions[phase]; i > 0; --i, *x += mr * t->tile_bytes)
        w = accumulate_int(acc, *x, t->tile_bytes, t->steps, w, mr, nr);
    return w;
}

INLINE void winograd(const nm_winograd_tile *t, int mr, int nr) {
    winograd_rows rows;
    vi kept[TILE_VECTORS], out[TILE_VECTORS];
    const char *x = t->input;
    const wt_t *w = t->weights;
    for (int row = 0; row < 4; ++row) {
        vi acc[NM_MAX_MR][NM_MAX_NR];
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) acc[m][n] = vi_set1(0);
        }
        w = winograd_phase(acc, t, 4 * row, &x, w, mr, nr);
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) kept[m * nr + n] = acc[m][n];
        }
        w = winograd_phase(acc, t, 4 * row + 1, &x, w, mr, nr);
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) {
                const vi a = kept[m * nr + n];
                kept[m * nr + n] = vi_sub(vi_add(a, a), acc[m][n]);
            }
        }
        w = winograd_phase(acc, t, 4 * row + 2, &x, w, mr, nr);
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) {
                out[m * nr + n] = acc[m][n];
                acc[m][n] = kept[m * nr + n];
            }
        }
        winograd_fold(t, &rows, row, 0, out, mr, nr);
        w = winograd_phase(acc, t, 4 * row + 3, &x, w, mr, nr);
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) out[m * nr + n] = acc[m][n];
        }
        winograd_fold(t, &rows, row, 1, out, mr, nr);
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
