/**
 * The direct convolution's microkernels: MR pixels x NR vectors of output channels, all taps
 * accumulated in registers. Per step: NR weight loads, then per pixel one broadcast and NR
 * multiply-accumulates. MR and NR are constants wherever these are inlined (see TILES), so that the
 * arrays become registers.
 */

/** Pixel m's address. Every third pixel has a pointer of its own; the two between are reached by
 *  scaled indices, which keeps the pointers within x86's sixteen registers. */
#define PIXEL(pointers, m, stride) ((pointers)[(m) / 3] + (ptrdiff_t)((m) % 3) * (stride))
#define POINTERS(mr) (((mr) + 2) / 3)

INLINE void point(const char **pointers, const nm_tile *t, size_t segment, int mr) {
    const char *x = (const char *)t->input + t->segment[segment];
    UNROLL for (int i = 0; i < POINTERS(mr); ++i) pointers[i] = x + 3 * i * t->pixel_stride;
}

/** acc += one segment's products. Returns the weights after it. */
INLINE const wt_t *accumulate_int(vi acc[][NM_MAX_NR], const nm_tile *t, size_t segment,
                                  const wt_t *w, int mr, int nr) {
    const ptrdiff_t stride = t->pixel_stride;
    const char *x[POINTERS(NM_MAX_MR)];
    point(x, t, segment, mr);
    for (size_t step = t->steps; step > 0; --step) {
        vw weight[NM_MAX_NR];
        UNROLL for (int n = 0; n < nr; ++n) weight[n] = vw_load(w + n * VL * DOT_STEP);
        UNROLL for (int m = 0; m < mr; ++m) {
            const vx a = vx_broadcast((const act_t *)PIXEL(x, m, stride));
            UNROLL for (int n = 0; n < nr; ++n) acc[m][n] = vi_dot(acc[m][n], a, weight[n]);
        }
        UNROLL for (int i = 0; i < POINTERS(mr); ++i) x[i] += DOT_STEP * sizeof(act_t);
        w += (size_t)nr * VL * DOT_STEP;
    }
    return w;
}

/** Stores a tile of requantized bytes, four vectors at a time whatever pixels they belong to. */
INLINE void store_tile_narrow(const nm_tile *t, const vi *acc, int mr, int nr) {
    const float *const scale = t->epilogue->scale + t->channel;
    const int count = mr * nr;
    for (int first = 0; first < count; first += 4) {
        const float *scales[4];
        UNROLL for (int i = 0; i < 4; ++i) scales[i] = scale + (first + i) % nr * VL;
        const vc bytes = vc_in_order(requantize_narrow(acc + first, scales, t->epilogue));
        uint8_t *out = (uint8_t *)t->output + first / nr * t->output_stride;
        if (nr == 4) {
            vc_store(out, bytes, t->channels);
            continue;
        }
        uint8_t each[4][VL];
        vc_store(each[0], bytes, sizeof each);
        for (int i = first; i < first + 4 && i < count; ++i) {
            const size_t channel = (size_t)(i % nr) * VL;
            out = (uint8_t *)t->output + i / nr * t->output_stride + channel;
            if (channel + VL <= t->channels)
                memcpy(out, each[i - first], VL);
            else
                memcpy(out, each[i - first], t->channels - channel);
        }
    }
}

/** Stores a tile of accumulators, [mr][nr] vectors. Out of line: one copy serves all tiles. */
static __attribute__((noinline)) void store_tile_i32(const nm_tile *t, const vi *acc, int mr,
                                                     int nr) {
    if (t->epilogue->narrow) {
        /* constants for the loop above */
        if (nr == 4)
            store_tile_narrow(t, acc, mr, 4);
        else if (nr == 3)
            store_tile_narrow(t, acc, mr, 3);
        else if (nr == 2)
            store_tile_narrow(t, acc, mr, 2);
        else
            store_tile_narrow(t, acc, mr, 1);
        return;
    }
    const size_t size = output_size(t->epilogue);
    for (int n = 0; n < nr; ++n) {
        const size_t first = (size_t)n * VL;
        const size_t lanes = n < nr - 1 ? VL : t->channels - first;
        char *out = (char *)t->output + first * size;
        for (int m = 0; m < mr; ++m, out += t->output_stride)
            store_i32(acc[m * nr + n], t->epilogue, t->channel + first, out, lanes);
    }
}

static __attribute__((noinline)) void store_tile_f32(const nm_tile *t, const vf *acc, int mr,
                                                     int nr) {
    const size_t size = output_size(t->epilogue);
    for (int n = 0; n < nr; ++n) {
        const size_t first = (size_t)n * VL;
        const size_t lanes = n < nr - 1 ? VL : t->channels - first;
        char *out = (char *)t->output + first * size;
        for (int m = 0; m < mr; ++m, out += t->output_stride)
            store_f32(acc[m * nr + n], t->epilogue, t->channel + first, out, lanes);
    }
}

INLINE void tile_int(const nm_tile *t, int mr, int nr) {
    vi acc[NM_MAX_MR][NM_MAX_NR];
    UNROLL for (int n = 0; n < nr; ++n) {
        const vi bias = vi_load((const int32_t *)t->bias + n * VL);
        UNROLL for (int m = 0; m < mr; ++m) acc[m][n] = bias;
    }
    if (t->pixel_term) {
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) acc[m][n] =
                vi_add(acc[m][n], vi_set1(t->pixel_term[m]));
        }
    }
    const wt_t *w = t->weights;
    for (size_t s = 0; s < t->segments; ++s)
        w = accumulate_int(acc, t, s, w, mr, nr);
    vi tile[NM_MAX_MR * NM_MAX_NR + 3]; /* read in fours */
    UNROLL for (int m = 0; m < mr; ++m) {
        UNROLL for (int n = 0; n < nr; ++n) tile[m * nr + n] = acc[m][n];
    }
    store_tile_i32(t, tile, mr, nr);
}

INLINE void tile_grouped(const nm_tile *t, int mr, int nr) {
    vf sum[NM_MAX_MR][NM_MAX_NR];
    UNROLL for (int n = 0; n < nr; ++n) {
        const vf bias = vf_load((const float *)t->bias + n * VL);
        UNROLL for (int m = 0; m < mr; ++m) sum[m][n] = bias;
    }
    const wt_t *w = t->weights;
    for (size_t s = 0; s < t->segments; ++s) {
        vi acc[NM_MAX_MR][NM_MAX_NR];
        UNROLL for (int n = 0; n < nr; ++n) {
            const vi start = vi_load(t->group_start + ((size_t)s * nr + n) * VL);
            UNROLL for (int m = 0; m < mr; ++m) acc[m][n] = start;
        }
        w = accumulate_int(acc, t, s, w, mr, nr);
        UNROLL for (int n = 0; n < nr; ++n) {
            const vf scale = vf_load(t->group_scale + ((size_t)s * nr + n) * VL);
            UNROLL for (int m = 0; m < mr; ++m) sum[m][n] =
                vf_fma(scale, vf_from_i32(acc[m][n]), sum[m][n]);
        }
    }
    vf tile[NM_MAX_MR * NM_MAX_NR];
    UNROLL for (int m = 0; m < mr; ++m) {
        UNROLL for (int n = 0; n < nr; ++n) tile[m * nr + n] = sum[m][n];
    }
    store_tile_f32(t, tile, mr, nr);
}

INLINE void tile_f32(const nm_tile *t, int mr, int nr) {
    vf acc[NM_MAX_MR][NM_MAX_NR];
    UNROLL for (int n = 0; n < nr; ++n) {
        const vf bias = vf_load((const float *)t->bias + n * VL);
        UNROLL for (int m = 0; m < mr; ++m) acc[m][n] = bias;
    }
    const ptrdiff_t stride = t->pixel_stride;
    const float *w = t->weights;
    for (size_t s = 0; s < t->segments; ++s) {
        const char *x[POINTERS(NM_MAX_MR)];
        point(x, t, s, mr);
        for (size_t step = t->steps; step > 0; --step) {
            vf weight[NM_MAX_NR];
            UNROLL for (int n = 0; n < nr; ++n) weight[n] = vf_load(w + n * VL);
            UNROLL for (int m = 0; m < mr; ++m) {
                const vf a = vf_set1(*(const float *)PIXEL(x, m, stride));
                UNROLL for (int n = 0; n < nr; ++n) acc[m][n] = vf_fma(a, weight[n], acc[m][n]);
            }
            UNROLL for (int i = 0; i < POINTERS(mr); ++i) x[i] += sizeof(float);
            w += (size_t)nr * VL;
        }
    }
    vf tile[NM_MAX_MR * NM_MAX_NR];
    UNROLL for (int m = 0; m < mr; ++m) {
        UNROLL for (int n = 0; n < nr; ++n) tile[m * nr + n] = acc[m][n];
    }
    store_tile_f32(t, tile, mr, nr);
}

/** sum[m] = the staged activations of pixel m's window, for a weight zero point. */
static void window_sums(const nm_tile *t, size_t pixels, size_t segment_length, int32_t *sum) {
    for (size_t m = 0; m < pixels; ++m) {
        int32_t total = 0;
        for (size_t s = 0; s < t->segments; ++s) {
            const act_t *x = (const act_t *)((const char *)t->input +
                                             (ptrdiff_t)m * t->pixel_stride + t->segment[s]);
            for (size_t i = 0; i < segment_length; ++i)
                total += x[i];
        }
        sum[m] = total;
    }
}
