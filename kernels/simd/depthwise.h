/** Depthwise: a block of channels along one output row. See nm_depthwise_run for the layout. */

/* Row groups of three or four rows. */
#define GROUPS_3 ((3 + DOT_STEP - 1) / DOT_STEP)

/** The bytes under row group `group` of one input column, interleaved. Rows beyond `rows` have
 *  weight zero: any value will do. `border`: the column may not exist. */
INLINE void load_column(const nm_depthwise_run *r, ptrdiff_t column, size_t group, size_t rows,
                        size_t n, bool flip, bool border, vx *out) {
    vb row[DOT_STEP];
    const bool exists = !border || (column >= 0 && (size_t)column < r->columns);
    UNROLL for (size_t i = 0; i < DOT_STEP; ++i) {
        const size_t at = group * DOT_STEP + i;
        row[i] = vb_set1(r->pad);
        if (exists && at < rows) {
            row[i] = vb_load(r->row[at] + column * r->column_bytes, n);
            if (flip)
                row[i] = vb_xor(row[i], vb_set1(r->flip));
        }
    }
    interleave(row, out);
}

/** Stores one pixel's accumulators. */
INLINE void store_block(const nm_depthwise_run *r, const vi *acc, char *out, size_t n) {
    const nm_epilogue *e = r->epilogue;
#if DW_VECTORS == 4
    if (r->scale) {
        const float *const scale[4] = {r->scale, r->scale + VL, r->scale + 2 * VL,
                                       r->scale + 3 * VL};
        vc_store((uint8_t *)out, requantize_narrow(acc, scale, e), n);
        return;
    }
#endif
    int32_t lane[DW_VECTORS][VL], channel[DW_VECTORS * VL];
    for (int j = 0; j < DW_VECTORS; ++j)
        vi_store(lane[j], acc[j], VL);
    for (int j = 0; j < DW_VECTORS; ++j)
        for (int i = 0; i < VL; ++i)
            channel[i / 4 * 4 * DW_VECTORS + 4 * j + i % 4] = lane[j][i];
    const size_t size = output_size(e);
    for (size_t c = 0; c < n; c += VL)
        store_i32(vi_load(channel + c), e, r->channel + c, out + c * size, n - c < VL ? n - c : VL);
}

typedef vx depthwise_columns[3][GROUPS_3 * DW_VECTORS];

INLINE void load_column_3x3(const nm_depthwise_run *r, ptrdiff_t column, size_t n, int outputs,
                            bool flip, bool border, vx *out) {
    UNROLL for (int g = 0; g < GROUPS_3; ++g) {
        load_column(r, column, (size_t)g, (size_t)outputs + 2, n, flip, border,
                    out + g * DW_VECTORS);
    }
}

/** Output p of one or two rows. The window's columns are `turn`, `turn` + 1 and `turn` + 2 modulo
 *  3; the last `stride` of them are loaded, over those that have served. */
INLINE void pixel_3x3(const nm_depthwise_run *r, size_t p, depthwise_columns column, int turn,
                      size_t n, int stride, int outputs, bool flip, bool border) {
    UNROLL for (int k = 3 - stride; k < 3; ++k) {
        load_column_3x3(r, r->first_column + (ptrdiff_t)p * stride + k, n, outputs, flip, border,
                        column[(turn + k) % 3]);
    }
    const wt_t *w = r->weights;
    UNROLL for (int o = 0; o < outputs; ++o) {
        vi acc[DW_VECTORS];
        UNROLL for (int j = 0; j < DW_VECTORS; ++j) {
            acc[j] = vi_load((const int32_t *)r->bias + j * VL);
        }
        UNROLL for (int k = 0; k < 3; ++k) {
            UNROLL for (int i = 0; i < GROUPS_3 * DW_VECTORS; ++i, w += VL * DOT_STEP) {
                acc[i % DW_VECTORS] =
                    vi_dot(acc[i % DW_VECTORS], column[(turn + k) % 3][i], vw_load(w));
            }
        }
        if (o == 0 || r->output[o])
            store_block(r, acc, (char *)r->output[o] + (ptrdiff_t)p * r->output_stride, n);
    }
}

/** 3x3: each column is interleaved once and serves all the outputs that see it. */
INLINE void depthwise_3x3(const nm_depthwise_run *r, size_t n, int stride, int outputs, bool flip) {
    depthwise_columns column;
    UNROLL for (int k = 0; k < 3; ++k) {
        load_column_3x3(r, r->first_column + k, n, outputs, flip, true, column[k]);
    }
    size_t p = 0;
    for (; p + 3 <= r->pixels; p += 3) {
        const ptrdiff_t first = r->first_column + (ptrdiff_t)p * stride;
        if (first >= 0 && (size_t)first + 2 * (size_t)stride + 2 < r->columns) {
            UNROLL for (int u = 0; u < 3; ++u) {
                pixel_3x3(r, p + (size_t)u, column, u * stride, n, stride, outputs, flip, false);
            }
        } else {
            UNROLL for (int u = 0; u < 3; ++u) {
                pixel_3x3(r, p + (size_t)u, column, u * stride, n, stride, outputs, flip, true);
            }
        }
    }
    if (p < r->pixels)
        pixel_3x3(r, p, column, 0, n, stride, outputs, flip, true);
    if (p + 1 < r->pixels)
        pixel_3x3(r, p + 1, column, stride, n, stride, outputs, flip, true);
}

/** Any kernel, stride and dilation. */
INLINE void depthwise_any(const nm_depthwise_run *r, size_t n) {
    const size_t groups = (r->rows + DOT_STEP - 1) / DOT_STEP;
    char *out = r->output[0];
    for (size_t p = 0; p < r->pixels; ++p, out += r->output_stride) {
        vi acc[DW_VECTORS];
        UNROLL for (int j = 0; j < DW_VECTORS; ++j) acc[j] =
            vi_load((const int32_t *)r->bias + j * VL);
        const wt_t *w = r->weights;
        for (size_t k = 0; k < r->kernel_width; ++k) {
            const ptrdiff_t column = r->first_column + (ptrdiff_t)(p * r->stride + k * r->dilation);
            for (size_t g = 0; g < groups; ++g) {
                vx x[DW_VECTORS];
                load_column(r, column, g, r->rows, n, true, true, x);
                UNROLL for (int j = 0; j < DW_VECTORS; ++j, w += VL * DOT_STEP) acc[j] =
                    vi_dot(acc[j], x[j], vw_load(w));
            }
        }
        store_block(r, acc, out, n);
    }
}

#if DW_NARROW > 0
#define PIXELS (VL / 4) /* of a narrow block */

/** As load_column(), for column `k` of the windows of PIXELS outputs from p on. */
INLINE void load_column_narrow(const nm_depthwise_run *r, size_t p, size_t k, size_t group,
                               size_t rows, size_t n, bool border, vx *out) {
    const ptrdiff_t first = r->first_column + (ptrdiff_t)(p * r->stride + k * r->dilation);
    const ptrdiff_t begin = first * r->column_bytes;
    const ptrdiff_t next = (ptrdiff_t)r->stride * r->column_bytes;
    vb row[DOT_STEP];
    UNROLL for (size_t i = 0; i < DOT_STEP; ++i) {
        const size_t at = group * DOT_STEP + i;
        row[i] = vb_set1(r->pad);
        if (at >= rows)
            continue;
        const char *x[PIXELS];
        UNROLL for (size_t j = 0; j < PIXELS; ++j) {
            x[j] = r->row[at] + begin + (ptrdiff_t)j * next;
        }
        char pad[DW_NARROW];
        if (border) {
            memset(pad, r->pad ^ r->flip, sizeof pad);
            for (size_t j = 0; j < PIXELS; ++j) {
                const ptrdiff_t column = first + (ptrdiff_t)(j * r->stride);
                if (column < 0 || (size_t)column >= r->columns)
                    x[j] = pad;
            }
        }
        row[i] = vb_xor(vb_load_pixels(x, n), vb_set1(r->flip));
    }
    interleave(row, out);
}

/** Stores PIXELS pixels of n channels, but those beyond the row. */
INLINE void store_narrow(const nm_depthwise_run *r, const vi *acc, size_t p, char *output,
                         size_t n) {
    const nm_epilogue *e = r->epilogue;
    const size_t size = output_size(e);
    int32_t lane[DW_VECTORS][VL];
    uint8_t bytes[DW_VECTORS * VL];
    if (r->scale) {
        const float *const scale[4] = {r->scale, r->scale + VL, r->scale + 2 * VL,
                                       r->scale + 3 * VL};
        vc_store(bytes, requantize_narrow(acc, scale, e), sizeof bytes);
    } else {
        for (int j = 0; j < DW_VECTORS; ++j)
            vi_store(lane[j], acc[j], VL);
    }
    for (size_t i = 0; i < PIXELS && p + i < r->pixels; ++i) {
        char *out = output + (ptrdiff_t)(p + i) * r->output_stride;
        if (r->scale) {
            memcpy(out, bytes + i * DW_NARROW, n);
            continue;
        }
        int32_t channel[DW_NARROW];
        for (size_t c = 0; c < DW_NARROW; ++c)
            channel[c] = lane[c / 4][4 * i + c % 4];
        for (size_t c = 0; c < n; c += VL)
            store_i32(vi_load(channel + c), e, r->channel + c, out + c * size,
                      n - c < VL ? n - c : VL);
    }
}

INLINE void pixels_narrow(const nm_depthwise_run *r, size_t p, size_t n, size_t rows, size_t width,
                          size_t outputs, bool border) {
    const size_t groups = (rows + DOT_STEP - 1) / DOT_STEP;
    vi acc[2][DW_VECTORS];
    UNROLL for (size_t o = 0; o < outputs; ++o) {
        UNROLL for (int j = 0; j < DW_VECTORS; ++j) {
            acc[o][j] = vi_load((const int32_t *)r->bias + j * VL);
        }
    }
    const wt_t *w = r->weights;
    UNROLL for (size_t k = 0; k < width; ++k) {
        UNROLL for (size_t g = 0; g < groups; ++g, w += DW_VECTORS * VL * DOT_STEP) {
            vx x[DW_VECTORS];
            load_column_narrow(r, p, k, g, rows, n, border, x);
            UNROLL for (size_t o = 0; o < outputs; ++o) {
                const wt_t *row = w + o * width * groups * DW_VECTORS * VL * DOT_STEP;
                UNROLL for (int j = 0; j < DW_VECTORS; ++j) {
                    acc[o][j] = vi_dot(acc[o][j], x[j], vw_load(row + j * VL * DOT_STEP));
                }
            }
        }
    }
    UNROLL for (size_t o = 0; o < outputs; ++o) {
        if (r->output[o])
            store_narrow(r, acc[o], p, r->output[o], n);
    }
}

INLINE void depthwise_narrow(const nm_depthwise_run *r, size_t n, size_t rows, size_t width,
                             size_t outputs) {
    const ptrdiff_t reach = (ptrdiff_t)((PIXELS - 1) * r->stride + (width - 1) * r->dilation);
    for (size_t p = 0; p < r->pixels; p += PIXELS) {
        const ptrdiff_t first = r->first_column + (ptrdiff_t)(p * r->stride);
        if (first >= 0 && first + reach < (ptrdiff_t)r->columns)
            pixels_narrow(r, p, n, rows, width, outputs, false);
        else
            pixels_narrow(r, p, n, rows, width, outputs, true);
    }
}
#endif

/** Turns what the loops above branch on into constants. */
INLINE void depthwise_block(const nm_depthwise_run *r, size_t n, bool flip) {
    const bool is_3x3 = r->rows == r->outputs + 2 && r->kernel_width == 3 && r->dilation == 1;
    if (is_3x3 && r->stride == 1 && r->outputs == 2)
        depthwise_3x3(r, n, 1, 2, flip);
    else if (is_3x3 && r->stride == 1)
        depthwise_3x3(r, n, 1, 1, flip);
    else if (is_3x3 && r->stride == 2 && r->outputs == 1)
        depthwise_3x3(r, n, 2, 1, flip);
    else
        depthwise_any(r, n);
}

static void depthwise_int(const nm_depthwise_run *r) {
#if DW_NARROW > 0
    if (r->narrow) {
        const bool pairs = r->outputs == 2;
        if (pairs && r->channels == DW_NARROW)
            depthwise_narrow(r, DW_NARROW, 4, 3, 2);
        else if (pairs)
            depthwise_narrow(r, r->channels, 4, 3, 2);
        else if (r->rows == 3 && r->kernel_width == 3 && r->channels == DW_NARROW)
            depthwise_narrow(r, DW_NARROW, 3, 3, 1);
        else
            depthwise_narrow(r, r->channels, r->rows, r->kernel_width, 1);
        return;
    }
#endif
    if (r->channels == DW_VECTORS * VL && !r->flip)
        depthwise_block(r, DW_VECTORS * VL, false);
    else
        depthwise_block(r, r->channels, true);
}

/** `pixels` outputs from pixel p on, whose columns all exist unless `borders`. */
INLINE void depthwise_pixels_f32(const nm_depthwise_run *r, size_t p, int pixels, size_t n,
                                 bool borders) {
    vf acc[4];
    UNROLL for (int i = 0; i < pixels; ++i) acc[i] = vf_load(r->bias);
    const float *w = r->weights;
    for (size_t kh = 0; kh < r->rows; ++kh)
        for (size_t k = 0; k < r->kernel_width; ++k, w += VL) {
            const vf weight = vf_load(w);
            UNROLL for (int i = 0; i < pixels; ++i) {
                const ptrdiff_t column =
                    r->first_column + (ptrdiff_t)((p + (size_t)i) * r->stride + k * r->dilation);
                if (borders && (column < 0 || (size_t)column >= r->columns))
                    continue;
                const float *x = (const float *)(r->row[kh] + column * r->column_bytes);
                acc[i] = vf_fma(vf_load_n(x, n), weight, acc[i]);
            }
        }
    char *out = (char *)r->output[0] + (ptrdiff_t)p * r->output_stride;
    UNROLL for (int i = 0; i < pixels; ++i, out += r->output_stride)
        store_f32(acc[i], r->epilogue, r->channel, out, n);
}

INLINE void depthwise_row_f32(const nm_depthwise_run *r, size_t n) {
    const ptrdiff_t reach = (ptrdiff_t)((r->kernel_width - 1) * r->dilation);
    for (size_t p = 0; p < r->pixels;) {
        const ptrdiff_t first = r->first_column + (ptrdiff_t)(p * r->stride);
        const ptrdiff_t last = first + (ptrdiff_t)(3 * r->stride) + reach;
        if (p + 4 <= r->pixels && first >= 0 && last < (ptrdiff_t)r->columns) {
            depthwise_pixels_f32(r, p, 4, n, false);
            p += 4;
        } else {
            depthwise_pixels_f32(r, p, 1, n, true);
            p += 1;
        }
    }
}

static void depthwise_f32(const nm_depthwise_run *r) {
    if (r->channels == VL)
        depthwise_row_f32(r, VL);
    else
        depthwise_row_f32(r, r->channels);
}
