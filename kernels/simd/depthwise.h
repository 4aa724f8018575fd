/**
 * Depthwise: a block of channels, one pixel a vector or several side by side. See nm_depthwise_run
 * for the layout.
 */

/* Row groups of three or four rows. */
#define GROUPS_3 ((3 + DOT_STEP - 1) / DOT_STEP)

/** The scales of a block in registers, where run->offset; else unused. */
typedef struct depthwise_scale {
    vf scale[DW_VECTORS], offset[DW_VECTORS];
} depthwise_scale;

INLINE depthwise_scale load_scale(const nm_depthwise_run *r) {
    depthwise_scale s;
    const float *const scale = r->offset ? r->scale : r->bias;
    const float *const offset = r->offset ? r->offset : r->bias;
    UNROLL for (int j = 0; j < DW_VECTORS; ++j) {
        s.scale[j] = vf_load(scale + j * VL);
        s.offset[j] = vf_load(offset + j * VL);
    }
    return s;
}

/** Where a row of outputs is cut into the parts that go along side by side in a vector, a pixel of
 * each at a time: so a column serves the windows of the next pixels, too, as it is. The last part
 * may overlap the one before. */
typedef struct row_parts {
    size_t length;              /* pixels of each */
    ptrdiff_t first[DW_PIXELS]; /* pixel of each */
} row_parts;

INLINE row_parts cut_row(const nm_depthwise_run *r, int pixels) {
    row_parts parts = {.length = (r->pixels + (size_t)pixels - 1) / (size_t)pixels};
    UNROLL for (int j = 0; j < pixels; ++j) {
        const size_t first = (size_t)j * parts.length, last = r->pixels - parts.length;
        parts.first[j] = (ptrdiff_t)(first < last ? first : last);
    }
    return parts;
}

/** The parts' outputs, the first part's being `output`. */
INLINE void part_outputs(const nm_depthwise_run *r, const row_parts *parts, char *output,
                         int pixels, char **out) {
    UNROLL for (int j = 0; j < pixels; ++j) {
        out[j] = output + parts->first[j] * r->output_stride;
    }
}

/** The rows under row group `group` at the parts' pixels, the first part's being `column`; all
 * exist if `inside`. Rows beyond `rows` have weight zero: any value will do. */
INLINE void load_rows(const nm_depthwise_run *r, const row_parts *parts, const char *const *row,
                      ptrdiff_t column, size_t group, size_t rows, int pixels, size_t n,
                      bool inside, vb *out) {
    UNROLL for (size_t i = 0; i < DOT_STEP; ++i) {
        if (group * DOT_STEP + i >= rows)
            continue;
        const char *x[DW_PIXELS];
        UNROLL for (int j = 0; j < pixels; ++j) {
            const ptrdiff_t at = column + parts->first[j] * (ptrdiff_t)r->stride;
            x[j] = inside || (at >= 0 && at < (ptrdiff_t)r->columns)
                       ? row[group * DOT_STEP + i] + at * r->column_bytes
                       : r->absent;
        }
        out[i] = vb_load(x, pixels, n);
    }
}

/** Likewise, interleaved. */
INLINE void load_columns(const nm_depthwise_run *r, const row_parts *parts, const char *const *row,
                         ptrdiff_t column, size_t group, size_t rows, int pixels, size_t n,
                         bool plain, vx *out) {
    const ptrdiff_t last = column + parts->first[pixels - 1] * (ptrdiff_t)r->stride;
    vb bytes[DOT_STEP];
    UNROLL for (size_t i = 0; i < DOT_STEP; ++i) { bytes[i] = vb_set1(r->pad); }
    if (column >= 0 && last < (ptrdiff_t)r->columns)
        load_rows(r, parts, row, column, group, rows, pixels, n, true, bytes);
    else
        load_rows(r, parts, row, column, group, rows, pixels, n, false, bytes);
    if (!plain) {
        UNROLL for (size_t i = 0; i < DOT_STEP; ++i) {
            bytes[i] = vb_xor(bytes[i], vb_set1(r->flip));
        }
    }
    interleave(bytes, out);
}

/** Any epilogue. Stores n channels of the pixels that share the vectors. */
static __attribute__((noinline)) void store_lanes(const nm_epilogue *e, const int32_t *lane,
                                                  size_t first, char *const *out, int pixels,
                                                  size_t n) {
    const size_t size = output_size(e);
    int32_t channel[DW_VECTORS * VL];
    for (int j = 0; j < DW_VECTORS; ++j)
        for (int i = 0; i < VL; ++i)
            channel[i / 4 * 4 * DW_VECTORS + 4 * j + i % 4] = lane[j * VL + i];
    for (int i = 0; i < pixels; ++i)
        for (size_t c = 0; c < n; c += VL)
            store_i32(vi_load(channel + i * (DW_VECTORS * VL / pixels) + c), e, first + c,
                      out[i] + c * size, n - c < VL ? n - c : VL);
}

/** Stores n channels of each of the parts' pixels. */
INLINE void store_columns(const nm_depthwise_run *r, const depthwise_scale *s, const vi *acc,
                          char *const *out, int pixels, size_t n, bool plain) {
    const nm_epilogue *e = r->epilogue;
    if (plain || r->scale) {
        vc bytes;
        if (plain || r->offset) {
            vi four[4];
            vf scale[4], offset[4];
            UNROLL for (int i = 0; i < 4; ++i) {
                four[i] = acc[i % DW_VECTORS];
                scale[i] = s->scale[i % DW_VECTORS];
                offset[i] = s->offset[i % DW_VECTORS];
            }
            bytes = requantize_from_zero(four, scale, offset, e);
        } else {
            vi four[4];
            vf scale[4];
            UNROLL for (int i = 0; i < 4; ++i) {
                four[i] = acc[i % DW_VECTORS];
                scale[i] = vf_load(r->scale + i % DW_VECTORS * VL);
            }
            bytes = requantize_narrow(four, scale, e);
        }
#if DW_VECTORS == 2
        vc_store_pair((uint8_t *)out[0], bytes, n);
#else
        UNROLL for (int i = 0; i < pixels; ++i) {
            vc_store_part((uint8_t *)out[i], bytes, i, pixels, n);
        }
#endif
        return;
    }
    int32_t lane[DW_VECTORS * VL];
    UNROLL for (int j = 0; j < DW_VECTORS; ++j) { vi_store(lane + j * VL, acc[j], VL); }
    store_lanes(e, lane, r->channel, out, pixels, n);
}

/** Of bytes, or of their low and their high nibbles. */
typedef vx depthwise_columns[2][GROUPS_3 * DW_VECTORS];

INLINE void load_columns_3x3(const nm_depthwise_run *r, const row_parts *parts,
                             const char *const *row, ptrdiff_t column, int outputs, int pixels,
                             int halves, size_t n, bool plain, depthwise_columns out) {
    (void)halves; /* where there are no nibbles */
    UNROLL for (int g = 0; g < GROUPS_3; ++g) {
        load_columns(r, parts, row, column, (size_t)g, (size_t)outputs + 2, pixels, n, plain,
                     out[0] + g * DW_VECTORS);
    }
#if defined(DW_NIBBLES)
    if (halves == 2) {
        UNROLL for (int i = 0; i < GROUPS_3 * DW_VECTORS; ++i) {
            out[1][i] = vx_high_nibbles(out[0][i]);
            out[0][i] = vx_low_nibbles(out[0][i]);
        }
    }
#endif
}

/** The bias, where sums start, for all rows of outputs. */
INLINE vi load_start(const int32_t *bias, int halves) {
#if defined(DW_NIBBLES)
    if (halves == 2)
        return vi_load_once(bias);
#endif
    (void)halves;
    return vi_load(bias);
}

#if defined(DW_NIBBLES)
/** Outputs of low and high nibbles' sums, in their place. */
INLINE void round_halves(const nm_depthwise_run *r, vi acc[2][DW_VECTORS], int half, int outputs,
                         int vectors) {
    UNROLL for (int j = 0; j < vectors; ++j) {
        const vf scale = vf_load_once(r->scale + (half * DW_VECTORS + j) * VL);
        const vf offset = vf_load_once(r->offset + (half * DW_VECTORS + j) * VL);
        UNROLL for (int o = 0; o < outputs; ++o) {
            acc[o][j] = vi_round_f32(vf_fma(vf_from_bits(acc[o][j]), scale, offset));
        }
    }
}

/** Stores the channels of n bytes of nibbles of each of the parts' pixels. */
INLINE void store_halves(const nm_depthwise_run *r, const vi *low, const vi *high, char *const *out,
                         int pixels, int vectors, size_t n) {
    vc bytes[2], pixel[2];
    UNROLL for (int i = 0; i < vectors / 2; ++i) {
        bytes[i] = finish_bytes(vc_pack_halves(low + 2 * i, high + 2 * i), r->epilogue);
    }
    if (vectors == 2)
        pixel[0] = bytes[0];
    else
        vc_alternate(bytes[0], bytes[1], pixel);
    const size_t whole = 4 * VL;                          /* bytes of a vector */
    const int parts = vectors == 2 ? pixels : pixels / 2; /* of a vector */
    UNROLL for (int i = 0; i < pixels; ++i) {
        uint8_t *const to = (uint8_t *)out[i];
        if (parts) {
            vc_store_part(to, pixel[i / parts], i % parts, parts, 2 * n);
        } else {
            vc_store_part(to, pixel[0], 0, 1, 2 * n < whole ? 2 * n : whole);
            if (2 * n > whole)
                vc_store_part(to + whole, pixel[1], 0, 1, 2 * n - whole);
        }
    }
}
#endif

/** 3x3, one row of outputs or two that share their input rows: each column is interleaved once and
 *  serves all the windows that see it. */
INLINE void row_3x3(const nm_depthwise_run *r, const row_parts *parts, const depthwise_scale *s,
                    const char *const *row, char *output, int stride, int outputs, int pixels,
                    int halves, int vectors, size_t n, bool plain) {
    const int packed = stride == 1 ? 2 : 1; /* rows of outputs that have weights */
    const int held =
        stride == 1 ? 3 : 2; /* columns that serve the next pixel, too, and a new one */
    depthwise_columns x[3], odd;
    const char *input[4];
    UNROLL for (int i = 0; i < outputs + 2; ++i) { input[i] = row[i]; }
    ptrdiff_t column = r->first_column;
    UNROLL for (int i = 0; i + 1 < held; ++i, column += stride) {
        load_columns_3x3(r, parts, input, column, outputs, pixels, halves, n, plain, x[i]);
    }
    for (size_t p = 0; p < parts->length; ++p, column += stride, output += r->output_stride) {
        load_columns_3x3(r, parts, input, column, outputs, pixels, halves, n, plain, x[held - 1]);
        if (stride == 2)
            load_columns_3x3(r, parts, input, column - 1, outputs, pixels, halves, n, plain, odd);
        vi acc[2][2][DW_VECTORS];
        UNROLL for (int h = 0; h < halves; ++h) {
            UNROLL for (int j = 0; j < vectors; ++j) {
                const int32_t *const bias = (const int32_t *)r->bias + (h * DW_VECTORS + j) * VL;
                const vi start = load_start(bias, halves);
                UNROLL for (int o = 0; o < outputs; ++o) { acc[h][o][j] = start; }
            }
            UNROLL for (int k = 0; k < 3; ++k) {
                UNROLL for (int i = 0; i < GROUPS_3 * DW_VECTORS; ++i) {
                    if (i % DW_VECTORS >= vectors)
                        continue;
                    const vx window = k % stride ? odd[h][i] : x[k / stride][h][i];
                    UNROLL for (int o = 0; o < outputs; ++o) {
                        const int at = ((h * packed + o) * 3 + k) * GROUPS_3 * DW_VECTORS + i;
                        vi *const sum = &acc[h][o][i % DW_VECTORS];
                        *sum = vi_dot(*sum, window,
                                      vw_load((const wt_t *)r->weights + at * VL * DOT_STEP));
                    }
                }
            }
#if defined(DW_NIBBLES)
            if (halves == 2)
                round_halves(r, acc[h], h, outputs, vectors);
#endif
        }
        UNROLL for (int o = 0; o < outputs; ++o) {
            char *out[DW_PIXELS];
            part_outputs(r, parts, output + o * r->output_row, pixels, out);
            if (halves == 1)
                store_columns(r, s, acc[0][o], out, pixels, n, plain);
#if defined(DW_NIBBLES)
            else
                store_halves(r, acc[0][o], acc[1][o], out, pixels, vectors, n);
#endif
        }
        UNROLL for (int i = 0; i + 1 < held; ++i) {
            UNROLL for (int h = 0; h < halves; ++h) {
                UNROLL for (int j = 0; j < GROUPS_3 * DW_VECTORS; ++j) {
                    x[i][h][j] = x[i + 1][h][j];
                }
            }
        }
    }
}

/** Any kernel, stride and dilation. */
INLINE void row_any(const nm_depthwise_run *r, const row_parts *parts, const depthwise_scale *s,
                    const char *const *row, char *output, int pixels, size_t n) {
    const size_t groups = (r->rows + DOT_STEP - 1) / DOT_STEP;
    for (size_t p = 0; p < parts->length; ++p, output += r->output_stride) {
        vi acc[DW_VECTORS];
        UNROLL for (int j = 0; j < DW_VECTORS; ++j) {
            acc[j] = vi_load((const int32_t *)r->bias + j * VL);
        }
        const wt_t *w = r->weights;
        for (size_t k = 0; k < r->kernel_width; ++k) {
            const ptrdiff_t column = r->first_column + (ptrdiff_t)(p * r->stride + k * r->dilation);
            for (size_t g = 0; g < groups; ++g) {
                vx x[DW_VECTORS];
                load_columns(r, parts, row, column, g, r->rows, pixels, n, false, x);
                UNROLL for (int j = 0; j < DW_VECTORS; ++j, w += VL * DOT_STEP) {
                    acc[j] = vi_dot(acc[j], x[j], vw_load(w));
                }
            }
        }
        char *out[DW_PIXELS];
        part_outputs(r, parts, output, pixels, out);
        store_columns(r, s, acc, out, pixels, n, false);
    }
}

/** Rows of outputs; turns what the loops above branch on into constants. */
INLINE void depthwise_block(const nm_depthwise_run *r, int pixels, int halves, int vectors,
                            size_t n, bool plain) {
    const depthwise_scale s = load_scale(r);
    const row_parts parts = cut_row(r, pixels);
    const char *const *row = r->row;
    char *output = r->output;
    const bool is_3x3 = r->rows == r->outputs + 2 && r->kernel_width == 3 && r->dilation == 1;
    size_t i = 0;
    if (is_3x3 && r->outputs == 2) {
        for (; i + 2 <= r->output_rows; i += 2, row += 2 * r->row_step, output += 2 * r->output_row)
            row_3x3(r, &parts, &s, row, output, 1, 2, pixels, halves, vectors, n, plain);
        if (i < r->output_rows)
            row_3x3(r, &parts, &s, row, output, 1, 1, pixels, halves, vectors, n, plain);
    } else if (is_3x3 && r->stride == 2) {
        for (; i < r->output_rows; ++i, row += r->row_step, output += r->output_row)
            row_3x3(r, &parts, &s, row, output, 2, 1, pixels, halves, vectors, n, plain);
    } else if (halves == 1) {
        for (; i < r->output_rows; ++i, row += r->row_step, output += r->output_row)
            row_any(r, &parts, &s, row, output, pixels, n);
    }
}

INLINE void depthwise_pixels(const nm_depthwise_run *run, int pixels) {
    const nm_depthwise_run r = *run; /* a copy, which no store can alias */
    const size_t whole = (size_t)(DW_VECTORS * VL / pixels);
    if (r.channels == whole && !r.flip && r.offset)
        depthwise_block(&r, pixels, 1, DW_VECTORS, whole, true);
    else
        depthwise_block(&r, pixels, 1, DW_VECTORS, r.channels, false);
}

static void depthwise_int(const nm_depthwise_run *r) {
    if (r->together == 1)
        depthwise_pixels(r, 1);
#if DW_PIXELS >= 2
    else if (r->together == 2)
        depthwise_pixels(r, 2);
#endif
#if DW_PIXELS >= 4
    else
        depthwise_pixels(r, 4);
#endif
}

#if defined(DW_NIBBLES)
INLINE void nibbles_pixels(const nm_depthwise_run *run, int pixels, int vectors) {
    const nm_depthwise_run r = *run;
    const size_t whole = (size_t)(vectors * VL / pixels), n = r.channels / 2;
    if (n == whole && !r.flip)
        depthwise_block(&r, pixels, 2, vectors, whole, true);
    else
        depthwise_block(&r, pixels, 2, vectors, n, false);
}

static void depthwise_nibbles(const nm_depthwise_run *r) {
    if (r->together == 1)
        nibbles_pixels(r, 1, DW_VECTORS);
    else if (r->together == 2)
        nibbles_pixels(r, 2, DW_VECTORS);
    else if (r->channels / 2 > DW_VECTORS * VL / 8)
        nibbles_pixels(r, 4, DW_VECTORS);
    else
        nibbles_pixels(r, 4, DW_VECTORS / 2);
}
#endif

/** 3x3, one tile of channels c, ... of one or two rows of DW_PIXELS_F32 pixels, under which lie the
 * pixels x[(outputs - 1) * stride + 3][(DW_PIXELS_F32 - 1) * stride + 3]. */
INLINE void tile_3x3_f32(const nm_depthwise_run *r, const nm_epilogue *e, const float *const *x,
                         char *output, size_t c, int stride, int outputs, size_t n) {
    const int columns = (DW_PIXELS_F32 - 1) * stride + 3;
    const float *const w = (const float *)r->weights + c * 9;
    vf weight[9], acc[2][DW_PIXELS_F32];
    UNROLL for (int i = 0; i < 9; ++i) { weight[i] = vf_load(w + i * VL); }
    UNROLL for (int o = 0; o < outputs; ++o) {
        UNROLL for (int p = 0; p < DW_PIXELS_F32; ++p) {
            acc[o][p] = vf_load((const float *)r->bias + c);
        }
    }
    UNROLL for (int i = 0; i < (outputs - 1) * stride + 3; ++i) {
        UNROLL for (int j = 0; j < columns; ++j) {
            const vf v = vf_load_n(x[i * columns + j] + c, n);
            UNROLL for (int o = 0; o < outputs; ++o) {
                UNROLL for (int p = 0; p < DW_PIXELS_F32; ++p) {
                    const int kh = i - o * stride, kw = j - p * stride;
                    if (kh >= 0 && kh < 3 && kw >= 0 && kw < 3)
                        acc[o][p] = vf_fma(v, weight[kh * 3 + kw], acc[o][p]);
                }
            }
        }
    }
    output += c * output_size(e);
    UNROLL for (int o = 0; o < outputs; ++o) {
        UNROLL for (int p = 0; p < DW_PIXELS_F32; ++p) {
            store_f32(acc[o][p], e, r->channel + c,
                      output + o * r->output_row + p * r->output_stride, n);
        }
    }
}

/** 3x3, at least DW_PIXELS_F32 pixels a row; the last tile overlaps the one before. All channels of
 * a tile come before the next, so that memory is read and written in order. */
INLINE void rows_3x3_f32(const nm_depthwise_run *r, const char *const *row, char *output,
                         int stride, int outputs) {
    const nm_epilogue e = *r->epilogue;
    const int columns = (DW_PIXELS_F32 - 1) * stride + 3;
    for (size_t p = 0; p < r->pixels; p += DW_PIXELS_F32) {
        if (p + DW_PIXELS_F32 > r->pixels)
            p = r->pixels - DW_PIXELS_F32;
        const float *x[5 * ((DW_PIXELS_F32 - 1) * 2 + 3)];
        const ptrdiff_t first = r->first_column + (ptrdiff_t)p * stride;
        for (int i = 0; i < (outputs - 1) * stride + 3; ++i)
            for (int j = 0; j < columns; ++j) {
                const bool exists = first + j >= 0 && first + j < (ptrdiff_t)r->columns;
                x[i * columns + j] =
                    (const float *)(exists ? row[i] + (first + j) * r->column_bytes : r->absent);
            }
        char *const out = output + (ptrdiff_t)p * r->output_stride;
        size_t c = 0;
        for (; c + VL <= r->channels; c += VL)
            tile_3x3_f32(r, &e, x, out, c, stride, outputs, VL);
        if (c < r->channels)
            tile_3x3_f32(r, &e, x, out, c, stride, outputs, r->channels - c);
    }
}

/** Any kernel: `pixels` outputs from pixel p on, channels c, ..., whose columns all exist unless
 *  `borders`. */
INLINE void pixels_f32(const nm_depthwise_run *r, const char *const *row, char *output, size_t p,
                       size_t c, int pixels, size_t n, bool borders) {
    vf acc[DW_PIXELS_F32];
    UNROLL for (int i = 0; i < pixels; ++i) { acc[i] = vf_load((const float *)r->bias + c); }
    const float *w = (const float *)r->weights + c * r->rows * r->kernel_width;
    for (size_t kh = 0; kh < r->rows; ++kh)
        for (size_t k = 0; k < r->kernel_width; ++k, w += VL) {
            const vf weight = vf_load(w);
            UNROLL for (int i = 0; i < pixels; ++i) {
                const ptrdiff_t column =
                    r->first_column + (ptrdiff_t)((p + (size_t)i) * r->stride + k * r->dilation);
                if (borders && (column < 0 || (size_t)column >= r->columns))
                    continue;
                const float *x = (const float *)(row[kh] + column * r->column_bytes) + c;
                acc[i] = vf_fma(vf_load_n(x, n), weight, acc[i]);
            }
        }
    char *out = output + (ptrdiff_t)p * r->output_stride + c * output_size(r->epilogue);
    UNROLL for (int i = 0; i < pixels; ++i, out += r->output_stride) {
        store_f32(acc[i], r->epilogue, r->channel + c, out, n);
    }
}

INLINE void row_f32(const nm_depthwise_run *r, const char *const *row, char *output, size_t c,
                    size_t n) {
    const ptrdiff_t reach = (ptrdiff_t)((r->kernel_width - 1) * r->dilation);
    for (size_t p = 0; p < r->pixels;) {
        const ptrdiff_t first = r->first_column + (ptrdiff_t)(p * r->stride);
        const ptrdiff_t last = first + (ptrdiff_t)((DW_PIXELS_F32 - 1) * r->stride) + reach;
        if (p + DW_PIXELS_F32 <= r->pixels && first >= 0 && last < (ptrdiff_t)r->columns) {
            pixels_f32(r, row, output, p, c, DW_PIXELS_F32, n, false);
            p += DW_PIXELS_F32;
        } else {
            pixels_f32(r, row, output, p, c, 1, n, true);
            p += 1;
        }
    }
}

static void depthwise_f32(const nm_depthwise_run *r) {
    const bool is_3x3 = r->rows == 3 && r->kernel_width == 3 && r->dilation == 1 &&
                        r->pixels >= DW_PIXELS_F32 && r->stride <= 2;
    for (size_t i = 0, rows; i < r->output_rows; i += rows) {
        const char *const *const row = r->row + i * r->row_step;
        char *const output = r->output + (ptrdiff_t)i * r->output_row;
        const bool pair = is_3x3 && r->row_step == r->stride && i + 2 <= r->output_rows;
        rows = pair ? 2 : 1;
        if (is_3x3 && r->stride == 1 && pair) {
            rows_3x3_f32(r, row, output, 1, 2);
        } else if (is_3x3 && r->stride == 1) {
            rows_3x3_f32(r, row, output, 1, 1);
        } else if (is_3x3 && r->stride == 2 && pair) {
            rows_3x3_f32(r, row, output, 2, 2);
        } else if (is_3x3 && r->stride == 2) {
            rows_3x3_f32(r, row, output, 2, 1);
        } else {
            size_t c = 0;
            for (; c + VL <= r->channels; c += VL)
                row_f32(r, row, output, c, VL);
            if (c < r->channels)
                row_f32(r, row, output, c, r->channels - c);
        }
    }
}
