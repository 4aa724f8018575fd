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
            bytes = requantize_from_zero(four, scale, offset, r->epilogue);
        } else {
            vi four[4];
            vf scale[4];
            UNROLL for (int i = 0; i < 4; ++i) {
                four[i] = acc[i % DW_VECTORS];
                scale[i] = vf_load(r->scale + i % DW_VECTORS * VL);
            }
            bytes = requantize_narrow(four, scale, r->epilogue);
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
    store_lanes(r->epilogue, lane, r->channel, out, pixels, n);
}

/** Columns under 3x3 windows, interleaved. Those of nibbles are parted into low and high ones where
 * they are multiplied. */
typedef vx depthwise_column[GROUPS_3 * DW_VECTORS];

/** Pixels of a part that 3x3 kernels take together: each weight is loaded once for all, and the
 * vectors of a column come one after another, so that the sums stay in registers; but one pixel at
 * a time where two pixels' columns, eight sums and four vectors more do not fit the registers. */
enum { DW_TOGETHER = 2, MAX_COLUMNS = (DW_TOGETHER - 1) * 2 + 3 };
#define COLUMNS_UNDER(together, stride) (((together)-1) * (stride) + 3)
#define TOGETHER(stride)                                                                           \
    (COLUMNS_UNDER(DW_TOGETHER, stride) * GROUPS_3 * DW_VECTORS + 8 + 4 <= VECTOR_REGISTERS        \
         ? DW_TOGETHER                                                                             \
         : 1)

/** What a kernel of rows of outputs knows when it is compiled. */
typedef struct row_kind {
    int stride, outputs; /* rows of outputs, which share their input rows */
    int pixels;          /* parts of a row side by side in a vector */
    int halves, vectors; /* 2 for nibbles; vectors of bytes that have channels */
    bool plain;          /* see depthwise_pixels() */
} row_kind;

/** These kernels wait for loads. */
INLINE vi vi_load_once(const int32_t *p) {
    vi a = vi_load(p);
    IN_REGISTER(a);
    return a;
}
INLINE vf vf_load_once(const float *p) {
    vf a = vf_load(p);
    IN_REGISTER(a);
    return a;
}
/** Weights for `together` pixels. */
INLINE vw load_weights(const wt_t *p, int together) {
    vw a = vw_load(p);
    if (together > 1)
        IN_REGISTER(a);
    return a;
}

#if defined(HIGH_NIBBLES)
/** Stores the channels of n bytes of nibbles of each of the parts' pixels. */
INLINE void store_halves(const nm_depthwise_run *r, const vc *packed, char *const *out, int pixels,
                         int vectors, size_t n) {
    vc bytes[2], pixel[2];
    UNROLL for (int i = 0; i < vectors / 2; ++i) {
        bytes[i] = finish_bytes(packed[i], r->epilogue);
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

/** Column `at` under the rows of outputs that begin at input row `row`. */
INLINE void load_column_3x3(const nm_depthwise_run *r, const row_parts *parts,
                            const char *const *row, ptrdiff_t at, row_kind kind, size_t n,
                            depthwise_column out) {
    UNROLL for (int g = 0; g < GROUPS_3; ++g) {
        load_columns(r, parts, row, at, (size_t)g, (size_t)kind.outputs + 2, kind.pixels, n,
                     kind.plain, out + g * DW_VECTORS);
    }
}

/** The sums of `together` pixels' windows in vector j of a block: [pixel][half][row of outputs]. */
typedef vi window_sums_3x3[DW_TOGETHER][2][2];

INLINE void sum_3x3(const nm_depthwise_run *r, depthwise_column *column, int j, int together,
                    row_kind kind, window_sums_3x3 acc) {
    const int packed = kind.stride == 1 ? 2 : 1; /* rows of outputs that have weights */
    const int columns = COLUMNS_UNDER(together, kind.stride);
    vx x[MAX_COLUMNS][2][GROUPS_3];
    UNROLL for (int c = 0; c < columns; ++c) {
        UNROLL for (int g = 0; g < GROUPS_3; ++g) {
            x[c][0][g] = column[c][g * DW_VECTORS + j];
#if defined(HIGH_NIBBLES)
            if (kind.halves == 2) {
                x[c][1][g] = vx_high_nibbles(x[c][0][g]);
                x[c][0][g] = vx_low_nibbles(x[c][0][g]);
            }
#endif
        }
    }
    UNROLL for (int h = 0; h < kind.halves; ++h) {
        const int32_t *const bias = (const int32_t *)r->bias + (h * DW_VECTORS + j) * VL;
        const vi start = vi_load_once(bias);
        UNROLL for (int p = 0; p < together; ++p) {
            UNROLL for (int o = 0; o < kind.outputs; ++o) { acc[p][h][o] = start; }
        }
        UNROLL for (int k = 0; k < 3; ++k) {
            UNROLL for (int g = 0; g < GROUPS_3; ++g) {
                UNROLL for (int o = 0; o < kind.outputs; ++o) {
                    const int tap = (h * packed + o) * 3 + k;
                    const int at = (tap * GROUPS_3 + g) * DW_VECTORS + j;
                    const vw weight =
                        load_weights((const wt_t *)r->weights + at * VL * DOT_STEP, together);
                    UNROLL for (int p = 0; p < together; ++p) {
                        acc[p][h][o] = vi_dot(acc[p][h][o], x[p * kind.stride + k][h][g], weight);
                    }
                }
            }
        }
    }
}

#if defined(HIGH_NIBBLES)
/** Outputs of low and high nibbles' sums in vector j, in the places of the sums. */
INLINE void round_halves(const nm_depthwise_run *r, int j, int together, int outputs,
                         window_sums_3x3 acc) {
    UNROLL for (int h = 0; h < 2; ++h) {
        const vf scale = vf_load_once(r->scale + (h * DW_VECTORS + j) * VL);
        const vf offset = vf_load_once(r->offset + (h * DW_VECTORS + j) * VL);
        UNROLL for (int p = 0; p < together; ++p) {
            UNROLL for (int o = 0; o < outputs; ++o) {
                acc[p][h][o] = vi_round_f32(vf_fma(vf_from_bits(acc[p][h][o]), scale, offset));
            }
        }
    }
}
#endif

/** `together` pixels of each part of one row of outputs, or two that share their input rows. */
INLINE void pixels_3x3(const nm_depthwise_run *r, const row_parts *parts, const depthwise_scale *s,
                       depthwise_column *column, char *output, int together, row_kind kind,
                       size_t n) {
    vi sum[DW_TOGETHER][2][DW_VECTORS]; /* bytes */
#if defined(HIGH_NIBBLES)
    vi words[DW_TOGETHER][2][2]; /* nibbles: two vectors' outputs */
    vc packed[DW_TOGETHER][2][2];
#endif
    UNROLL for (int j = 0; j < kind.vectors; ++j) {
        window_sums_3x3 acc;
        sum_3x3(r, column, j, together, kind, acc);
#if defined(HIGH_NIBBLES)
        if (kind.halves == 2)
            round_halves(r, j, together, kind.outputs, acc);
#endif
        UNROLL for (int p = 0; p < together; ++p) {
            UNROLL for (int o = 0; o < kind.outputs; ++o) {
                if (kind.halves == 1)
                    sum[p][o][j] = acc[p][0][o];
#if defined(HIGH_NIBBLES)
                else
                    words[p][o][j % 2] = vi_join_halves(acc[p][0][o], acc[p][1][o]);
                if (kind.halves == 2 && j % 2 == 1)
                    packed[p][o][j / 2] = vc_pack_words(words[p][o][0], words[p][o][1]);
#endif
            }
        }
    }
    UNROLL for (int p = 0; p < together; ++p) {
        UNROLL for (int o = 0; o < kind.outputs; ++o) {
            char *out[DW_PIXELS];
            part_outputs(r, parts, output + o * r->output_row + p * r->output_stride, kind.pixels,
                         out);
            if (kind.halves == 1)
                store_columns(r, s, sum[p][o], out, kind.pixels, n, kind.plain);
#if defined(HIGH_NIBBLES)
            else
                store_halves(r, packed[p][o], out, kind.pixels, kind.vectors, n);
#endif
        }
    }
}

/** 3x3, one row of outputs or two that share their input rows: each column is interleaved once and
 *  serves all the windows that see it. */
INLINE void row_3x3(const nm_depthwise_run *r, const row_parts *parts, const depthwise_scale *s,
                    const char *const *row, char *output, row_kind kind, size_t n) {
    const int held = 3 - kind.stride; /* columns that the next pixels see, too */
    const int together = TOGETHER(kind.stride), fresh = together * kind.stride;
    depthwise_column column[MAX_COLUMNS];
    ptrdiff_t at = r->first_column;
    UNROLL for (int i = 0; i < held; ++i, ++at) {
        load_column_3x3(r, parts, row, at, kind, n, column[i]);
    }
    size_t left = parts->length;
    for (; left >= (size_t)together; left -= (size_t)together) {
        UNROLL for (int i = held; i < held + fresh; ++i, ++at) {
            load_column_3x3(r, parts, row, at, kind, n, column[i]);
        }
        pixels_3x3(r, parts, s, column, output, together, kind, n);
        output += together * r->output_stride;
        UNROLL for (int i = 0; i < held; ++i) {
            UNROLL for (int j = 0; j < GROUPS_3 * DW_VECTORS; ++j) {
                column[i][j] = column[fresh + i][j];
            }
        }
    }
    if (together > 1 && left > 0) {
        UNROLL for (int i = held; i < 3; ++i, ++at) {
            load_column_3x3(r, parts, row, at, kind, n, column[i]);
        }
        pixels_3x3(r, parts, s, column, output, 1, kind, n);
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
    row_kind kind = {.stride = 1,
                     .outputs = 2,
                     .pixels = pixels,
                     .halves = halves,
                     .vectors = vectors,
                     .plain = plain};
    size_t i = 0;
    if (is_3x3 && r->outputs == 2) {
        for (; i + 2 <= r->output_rows; i += 2, row += 2 * r->row_step, output += 2 * r->output_row)
            row_3x3(r, &parts, &s, row, output, kind, n);
        kind.outputs = 1;
        if (i < r->output_rows)
            row_3x3(r, &parts, &s, row, output, kind, n);
    } else if (is_3x3 && r->stride == 2) {
        kind.stride = 2, kind.outputs = 1;
        for (; i < r->output_rows; ++i, row += r->row_step, output += r->output_row)
            row_3x3(r, &parts, &s, row, output, kind, n);
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

#if defined(HIGH_NIBBLES)
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
