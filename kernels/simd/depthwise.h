/** Depthwise: a block of channels along one output row. See nm_depthwise_run for the layout. */

/* Row groups of a three-row kernel. */
#define GROUPS_3 ((3 + DOT_STEP - 1) / DOT_STEP)

/** The bytes under row group `group` of one input column, interleaved. Rows beyond the kernel have
 *  weight zero: any value will do. */
INLINE void load_column(const nm_depthwise_run *r, ptrdiff_t column, size_t group, size_t height,
                        size_t n, bool flip, vx *out) {
    vb row[DOT_STEP];
    const bool exists = column >= 0 && (size_t)column < r->columns;
    UNROLL for (size_t i = 0; i < DOT_STEP; ++i) {
        const size_t kh = group * DOT_STEP + i;
        row[i] = vb_set1(r->pad);
        if (exists && kh < height) {
            row[i] = vb_load(r->row[kh] + column * r->column_bytes, n);
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

/** Output p of a 3x3 row: loads its third column over the one that has served, column[turn + 2]. */
INLINE void pixel_3x3(const nm_depthwise_run *r, size_t p, vx column[3][GROUPS_3 * DW_VECTORS],
                      int turn, size_t n, bool flip) {
    UNROLL for (int g = 0; g < GROUPS_3; ++g)
        load_column(r, r->first_column + (ptrdiff_t)p + 2, g, 3, n, flip,
                    &column[(turn + 2) % 3][g * DW_VECTORS]);
    vi acc[DW_VECTORS];
    UNROLL for (int j = 0; j < DW_VECTORS; ++j) acc[j] = vi_load((const int32_t *)r->bias + j * VL);
    const wt_t *w = r->weights;
    UNROLL for (int k = 0; k < 3; ++k) {
        UNROLL for (int i = 0; i < GROUPS_3 * DW_VECTORS; ++i, w += VL * DOT_STEP)
            acc[i % DW_VECTORS] =
                vi_dot(acc[i % DW_VECTORS], column[(turn + k) % 3][i], vw_load(w));
    }
    store_block(r, acc, (char *)r->output + (ptrdiff_t)p * r->output_stride, n);
}

/** 3x3, stride 1: each column is interleaved once and serves three outputs. */
INLINE void depthwise_3x3(const nm_depthwise_run *r, size_t n, bool flip) {
    vx column[3][GROUPS_3 * DW_VECTORS];
    UNROLL for (int k = 0; k < 3; ++k) {
        UNROLL for (int g = 0; g < GROUPS_3; ++g)
            load_column(r, r->first_column + k, g, 3, n, flip, &column[k][g * DW_VECTORS]);
    }
    size_t p = 0;
    for (; p + 3 <= r->pixels; p += 3) {
        UNROLL for (int u = 0; u < 3; ++u) pixel_3x3(r, p + (size_t)u, column, u, n, flip);
    }
    if (p < r->pixels)
        pixel_3x3(r, p, column, 0, n, flip);
    if (p + 1 < r->pixels)
        pixel_3x3(r, p + 1, column, 1, n, flip);
}

/** Any kernel, stride and dilation. */
INLINE void depthwise_any(const nm_depthwise_run *r, size_t n) {
    const size_t groups = (r->kernel_height + DOT_STEP - 1) / DOT_STEP;
    char *out = r->output;
    for (size_t p = 0; p < r->pixels; ++p, out += r->output_stride) {
        vi acc[DW_VECTORS];
        UNROLL for (int j = 0; j < DW_VECTORS; ++j) acc[j] =
            vi_load((const int32_t *)r->bias + j * VL);
        const wt_t *w = r->weights;
        for (size_t k = 0; k < r->kernel_width; ++k) {
            const ptrdiff_t column = r->first_column + (ptrdiff_t)(p * r->stride + k * r->dilation);
            for (size_t g = 0; g < groups; ++g) {
                vx x[DW_VECTORS];
                load_column(r, column, g, r->kernel_height, n, true, x);
                UNROLL for (int j = 0; j < DW_VECTORS; ++j, w += VL * DOT_STEP) acc[j] =
                    vi_dot(acc[j], x[j], vw_load(w));
            }
        }
        store_block(r, acc, out, n);
    }
}

static void depthwise_int(const nm_depthwise_run *r) {
    const bool is_3x3 =
        r->kernel_height == 3 && r->kernel_width == 3 && r->stride == 1 && r->dilation == 1;
    const size_t block = DW_VECTORS * VL;
    /* constants for the loops above, where they matter */
    if (is_3x3 && r->channels == block && !r->flip)
        depthwise_3x3(r, block, false);
    else if (is_3x3)
        depthwise_3x3(r, r->channels, true);
    else if (r->channels == block)
        depthwise_any(r, block);
    else
        depthwise_any(r, r->channels);
}

/** PIXELS outputs from pixel p on, whose columns all exist unless `borders`. */
INLINE void depthwise_pixels_f32(const nm_depthwise_run *r, size_t p, int pixels, size_t n,
                                 bool borders) {
    vf acc[4];
    UNROLL for (int i = 0; i < pixels; ++i) acc[i] = vf_load(r->bias);
    const float *w = r->weights;
    for (size_t kh = 0; kh < r->kernel_height; ++kh)
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
    char *out = (char *)r->output + (ptrdiff_t)p * r->output_stride;
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
