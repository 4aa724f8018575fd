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

/* How weights are kept that the first tile to read them expands along with its products: */
#if defined(WIDENS)
/* bytes, a step at a time. */
#define EXPAND_STEPS(nr) 1
INLINE const int8_t *expand_steps(const int8_t *packed, wt_t *w, size_t steps, int nr) {
    enum { WEIGHTS = VL * DOT_STEP };
    for (size_t i = 0; i < steps * (size_t)nr; ++i, packed += WEIGHTS, w += WEIGHTS)
        vw_store(w, vw_widen(packed));
    return packed;
}
#else
/* nibbles, whole expand blocks. */
#define EXPAND_STEPS(nr) PACKED_STEPS(nr)
/** The nibbles of `steps` steps become weights, which come before the products that read them by so
 *  little that they are still on their way to the cache. Returns the nibbles after them. */
INLINE const int8_t *expand_steps(const int8_t *packed, wt_t *w, size_t steps, int nr) {
    for (size_t i = 0; i < steps * nr * VL * DOT_STEP; i += 2 * EXPAND_BLOCK) {
        __builtin_prefetch(packed + 1024);
        expand_nibbles(packed, w + i, w + i + EXPAND_BLOCK);
        packed += EXPAND_BLOCK;
    }
    return packed;
}
#endif

/** acc += the products of `steps` > 0 steps of activations from x on, pixels `stride` bytes apart.
 *  `packed`, if given, is where those are of which the weights are made first; `ahead`, if
 * not 0, how many bytes ahead the weights are prefetched; `mask`, if given, selects the
 * activations' bits. Returns the weights after them. */
INLINE const wt_t *accumulate_steps(vi acc[][NM_MAX_NR], const char *x, ptrdiff_t stride,
                                    size_t steps, const wt_t *w, const int8_t **packed,
                                    size_t ahead, const vx *mask, int mr, int nr) {
    const char *pixel[POINTERS(NM_MAX_MR)];
    const size_t together = packed ? EXPAND_STEPS(nr) : 1;
    (void)mask; /* where there are no masks */
    UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] = x + 3 * i * stride;
    /* Where the accumulators leave no register for it, the last weight vector is an operand in
     * memory, read again for each pixel. */
    const int kept = mr * nr + nr + 1 > VECTOR_REGISTERS ? nr - 1 : nr;
    do {
        if (packed)
            *packed = expand_steps(*packed, (wt_t *)w, together, nr);
        UNROLL for (size_t step = 0; step < together; ++step) {
            vw weight[NM_MAX_NR];
            if (ahead)
                UNROLL for (int n = 0; n < nr; ++n)
                    __builtin_prefetch((const char *)(w + n * VL * DOT_STEP) + ahead);
            UNROLL for (int n = 0; n < kept; ++n) weight[n] = vw_load(w + n * VL * DOT_STEP);
            const wt_t *last = w + (nr - 1) * VL * DOT_STEP;
            UNROLL for (int m = 0; m < mr; ++m) {
                vx a = vx_broadcast((const act_t *)PIXEL(pixel, m, stride));
#if defined(HIGH_NIBBLES)
                if (mask)
                    a = vx_and(a, *mask);
#endif
                UNROLL for (int n = 0; n < kept; ++n) acc[m][n] = vi_dot(acc[m][n], a, weight[n]);
                if (kept < nr) {
                    READ_AGAIN(last);
                    acc[m][nr - 1] = vi_dot(acc[m][nr - 1], a, vw_load(last));
                }
            }
            UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] += DOT_STEP * sizeof(act_t);
            w += (size_t)nr * VL * DOT_STEP;
            if (together > 1) /* or the later steps' weights wait in registers */
                READ_AGAIN(w);
        }
        steps -= together;
    } while (steps > 0);
    return w;
}

/** For Winograd: each tile reads all of a panel's weights, which come from the second-level cache.
 */
INLINE const wt_t *accumulate_int(vi acc[][NM_MAX_NR], const char *x, ptrdiff_t stride,
                                  size_t steps, const wt_t *w, const int8_t **packed, int mr,
                                  int nr) {
    enum { AHEAD = 1024 };
    return accumulate_steps(acc, x, stride, steps, w, packed, AHEAD, NULL, mr, nr);
}

/* DIRECT_DOT_8: what a dot product costs with activations of 8 bits, in those with 4. */
#if defined(SUM_STEPS_8)
#define DIRECT_DOT_8 (1 + 1.0F / SUM_STEPS_8)
/** As accumulate_int(), with sums of `sum_steps` steps taken in 16 bits: two instructions a product
 *  instead of three. */
INLINE const wt_t *accumulate_tile(vi acc[][NM_MAX_NR], const nm_tile *t, const char *x,
                                   ptrdiff_t stride, size_t steps, const wt_t *w,
                                   const int8_t **packed, int mr, int nr) {
    const size_t most = t->small_activations ? SUM_STEPS_4 : SUM_STEPS_8;
    const char *pixel[POINTERS(NM_MAX_MR)];
    UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] = x + 3 * i * stride;
    do {
        size_t now = steps < most ? steps : most;
        steps -= now;
        if (packed)
            *packed = expand_steps(*packed, (wt_t *)w, now, nr);
        vs sum[NM_MAX_MR][NM_MAX_NR];
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) sum[m][n] = vs_zero();
        }
        do {
            vw weight[NM_MAX_NR];
            UNROLL for (int n = 0; n < nr; ++n) weight[n] = vw_load(w + n * VL * DOT_STEP);
            UNROLL for (int m = 0; m < mr; ++m) {
                const vx a = vx_broadcast((const act_t *)PIXEL(pixel, m, stride));
                UNROLL for (int n = 0; n < nr; ++n) sum[m][n] = vs_dot(sum[m][n], a, weight[n]);
            }
            UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] += DOT_STEP * sizeof(act_t);
            w += (size_t)nr * VL * DOT_STEP;
        } while (--now > 0);
        UNROLL for (int m = 0; m < mr; ++m) {
            UNROLL for (int n = 0; n < nr; ++n) acc[m][n] = vs_widen(acc[m][n], sum[m][n]);
        }
    } while (steps > 0);
    return w;
}
#else
#define DIRECT_DOT_8 1.0F
INLINE const wt_t *accumulate_tile(vi acc[][NM_MAX_NR], const nm_tile *t, const char *x,
                                   ptrdiff_t stride, size_t steps, const wt_t *w,
                                   const int8_t **packed, int mr, int nr) {
    (void)t;
    return accumulate_steps(acc, x, stride, steps, w, packed, 0, NULL, mr, nr);
}
#endif

/** Leaves a tile's registers for memory and stores its pixels. */
#define STORE_TILE(kind, vector, t, acc, mr, nr)                                                   \
    do {                                                                                           \
        vector tile[TILE_VECTORS];                                                                 \
        char *pixel[NM_MAX_MR];                                                                    \
        UNROLL for (int m = 0; m < mr; ++m) {                                                      \
            pixel[m] = (char *)t->output + m * t->output_stride;                                   \
            UNROLL for (int n = 0; n < nr; ++n) tile[m * nr + n] = acc[m][n];                      \
        }                                                                                          \
        store_tile_##kind(t->epilogue, t->channel, t->channels, pixel, tile, mr, nr);              \
    } while (0)

/** Stores the tile from its registers. */
INLINE void store_tile_narrow(const nm_tile *t, bool from_zero, vi acc[][NM_MAX_NR], int mr,
                              int nr) {
    const narrow_tile narrow = narrow_epilogue(t->epilogue, from_zero, t->channel, t->channels, nr);
    const ptrdiff_t stride = t->output_stride;
    char *output = t->output;
    UNROLL for (int m = 0; m < mr; m += PIXELS_TOGETHER(nr)) {
        const int pixels = mr - m < PIXELS_TOGETHER(nr) ? mr - m : PIXELS_TOGETHER(nr);
        char *pixel[4];
        UNROLL for (int i = 0; i < pixels; ++i, output += stride) pixel[i] = output;
        store_pixels_narrow(&narrow, pixel, acc + m, pixels, nr);
    }
}

INLINE void store_tile(const nm_tile *t, vi acc[][NM_MAX_NR], int mr, int nr) {
    if (t->epilogue->offset)
        store_tile_narrow(t, true, acc, mr, nr);
    else if (t->epilogue->narrow)
        store_tile_narrow(t, false, acc, mr, nr);
    else
        STORE_TILE(i32, vi, t, acc, mr, nr);
}

/** Where a tile's sums start. */
INLINE void start_int(const nm_tile *t, vi acc[][NM_MAX_NR], int mr, int nr) {
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
}

INLINE void tile_int(const nm_tile *t, bool expanding, int mr, int nr) {
    vi acc[NM_MAX_MR][NM_MAX_NR];
    start_int(t, acc, mr, nr);
    const wt_t *w = t->weights;
    const int8_t *nibbles = t->packed, **packed = expanding ? &nibbles : NULL;
    const nm_segments *in = &t->segments;
    if (!t->left_steps && !t->right_steps) { /* apart, as segments may be a few steps only */
        do {
            for (size_t s = 0; s < in->count; ++s)
                w = accumulate_tile(acc, t, (const char *)in->input + in->segment[s],
                                    in->pixel_stride, in->steps, w, packed, mr, nr);
        } while (!expanding && in++ == &t->segments && t->rest.count > 0);
    } else {
        const ptrdiff_t stride = in->pixel_stride;
        const size_t steps = in->steps - t->left_steps - t->right_steps;
        for (size_t s = 0; s < in->count; ++s) {
            const char *x = (const char *)in->input + in->segment[s];
            if (t->left_steps)
                w = accumulate_tile(acc + 1, t, x + stride, stride, t->left_steps, w, packed,
                                    mr - 1, nr);
            x += t->left_steps * DOT_STEP * sizeof(act_t);
            if (steps)
                w = accumulate_tile(acc, t, x, stride, steps, w, packed, mr, nr);
            x += steps * DOT_STEP * sizeof(act_t);
            if (t->right_steps)
                w = accumulate_tile(acc, t, x, stride, t->right_steps, w, packed, mr - 1, nr);
        }
    }
    store_tile(t, acc, mr, nr);
}

#if defined(HIGH_NIBBLES)
/** See nm_tier.tile_nibbles. */
INLINE void tile_nibbles(const nm_tile *t, int mr, int nr) {
    vi acc[NM_MAX_MR][NM_MAX_NR];
    start_int(t, acc, mr, nr);
    const wt_t *w = t->weights;
    const nm_segments *const in = &t->segments;
    for (int high = 0; high < 2; ++high) {
        const vx mask = vx_set1(high ? HIGH_NIBBLES : LOW_NIBBLES);
        w = accumulate_steps(acc, in->input, in->pixel_stride, in->steps, w, NULL, 0, &mask, mr,
                             nr);
    }
    store_tile(t, acc, mr, nr);
}
#endif

/** The way through the pixels of a tile of a 1x1 kernel, some steps at a time. */
typedef struct pixel_walk {
    const char *x;     /* the first pixel's next step */
    const char *ahead; /* what is asked for next */
    size_t left;       /* steps */
} pixel_walk;

INLINE pixel_walk start_walk(const nm_tile *t) {
    const char *const x = t->segments.input;
    return (pixel_walk){.x = x, .ahead = x + t->ahead, .left = t->segments.steps};
}

/** Takes some steps of mr pixels, whose input is returned, and asks for as many cache lines. */
INLINE const char *walk(pixel_walk *w, size_t *steps, int mr) {
    enum { STEPS = 4, STEP_BYTES = 4, LINE = 64 };
    const int lines = (mr * STEPS * STEP_BYTES + LINE - 1) / LINE;
    const char *const x = w->x;
    UNROLL for (int i = 0; i < lines; ++i) __builtin_prefetch(w->ahead + i * LINE);
    *steps = w->left < STEPS ? w->left : STEPS;
    w->x += STEPS * STEP_BYTES;
    w->ahead += lines * LINE;
    w->left -= *steps;
    return x;
}

/** One segment of a 1x1 kernel whose pixels come from memory. It asks for those `t->ahead` bytes
 * ahead at the pace at which it reads: all at once, they fill the buffers for cache lines, and the
 * products wait for theirs. A function of its own, as one more loop in tile_int() makes gcc spill.
 */
INLINE void tile_asking(const nm_tile *t, int mr, int nr) {
    vi acc[NM_MAX_MR][NM_MAX_NR];
    start_int(t, acc, mr, nr);
    const wt_t *w = t->weights;
    pixel_walk pixels = start_walk(t);
    do {
        size_t steps;
        const char *const x = walk(&pixels, &steps, mr);
        w = accumulate_tile(acc, t, x, t->segments.pixel_stride, steps, w, NULL, mr, nr);
    } while (pixels.left > 0);
    store_tile(t, acc, mr, nr);
}

/** One pixel, whose packed int4 weights are expanded in registers: where a panel serves no other
 *  pixel, expanding it beforehand would only be a detour through memory. So many steps are taken
 *  together that their weights are whole expand blocks. */
INLINE void tile_packed(const nm_tile *t, int nr) {
    const int together = PACKED_STEPS(nr), vectors = together * nr;
    enum { AHEAD = 4096 }; /* bytes that the weights are prefetched ahead: they come from memory */
    vi acc[1][NM_MAX_NR];
    UNROLL for (int n = 0; n < nr; ++n) acc[0][n] = vi_add(
        vi_load((const int32_t *)t->bias + n * VL), vi_set1(t->pixel_term ? t->pixel_term[0] : 0));
    const int8_t *packed = t->weights;
    const nm_segments *const in = &t->segments;
    for (size_t s = 0; s < in->count; ++s) {
        const act_t *x = (const act_t *)((const char *)in->input + in->segment[s]);
        for (size_t step = 0; step < in->steps; step += (size_t)together) {
            wt_t weights[4 * NM_MAX_NR * VL * DOT_STEP];
            UNROLL for (int i = 0; i < vectors * VL * DOT_STEP; i += 2 * EXPAND_BLOCK) {
                __builtin_prefetch(packed + AHEAD);
                expand_nibbles(packed, weights + i, weights + i + EXPAND_BLOCK);
                packed += EXPAND_BLOCK;
            }
            UNROLL for (int v = 0; v < vectors; ++v) acc[0][v % nr] =
                vi_dot(acc[0][v % nr], vx_broadcast(x + v / nr * DOT_STEP),
                       vw_load(weights + v * VL * DOT_STEP));
            x += together * DOT_STEP;
        }
    }
    store_tile(t, acc, 1, nr);
}

INLINE void tile_grouped(const nm_tile *t, int mr, int nr) {
    vf sum[NM_MAX_MR][NM_MAX_NR];
    UNROLL for (int n = 0; n < nr; ++n) {
        const vf bias = vf_load((const float *)t->bias + n * VL);
        UNROLL for (int m = 0; m < mr; ++m) sum[m][n] = bias;
    }
    const wt_t *w = t->weights;
    const nm_segments *const in = &t->segments;
    for (size_t s = 0; s < in->count; ++s) {
        vi acc[NM_MAX_MR][NM_MAX_NR];
        UNROLL for (int n = 0; n < nr; ++n) {
            const vi start = vi_load(t->group_start + ((size_t)s * nr + n) * VL);
            UNROLL for (int m = 0; m < mr; ++m) acc[m][n] = start;
        }
        w = accumulate_tile(acc, t, (const char *)in->input + in->segment[s], in->pixel_stride,
                            in->steps, w, NULL, mr, nr);
        UNROLL for (int n = 0; n < nr; ++n) {
            const vf scale = vf_load(t->group_scale + ((size_t)s * nr + n) * VL);
            UNROLL for (int m = 0; m < mr; ++m) sum[m][n] =
                vf_fma(scale, vf_from_i32(acc[m][n]), sum[m][n]);
        }
    }
    STORE_TILE(f32, vf, t, sum, mr, nr);
}

/** As accumulate_int(). */
INLINE const float *accumulate_f32(vf acc[][NM_MAX_NR], const char *x, ptrdiff_t stride,
                                   size_t steps, const float *w, int mr, int nr) {
    const char *pixel[POINTERS(NM_MAX_MR)];
    UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] = x + 3 * i * stride;
    do {
        vf weight[NM_MAX_NR];
        UNROLL for (int n = 0; n < nr; ++n) weight[n] = vf_load(w + n * VL);
        UNROLL for (int m = 0; m < mr; ++m) {
            const vf a = vf_set1(*(const float *)PIXEL(pixel, m, stride));
            UNROLL for (int n = 0; n < nr; ++n) acc[m][n] = vf_fma(a, weight[n], acc[m][n]);
        }
        UNROLL for (int i = 0; i < POINTERS(mr); ++i) pixel[i] += sizeof(float);
        w += (size_t)nr * VL;
    } while (--steps > 0);
    return w;
}

INLINE void start_floats(const nm_tile *t, vf acc[][NM_MAX_NR], int mr, int nr) {
    UNROLL for (int n = 0; n < nr; ++n) {
        const vf bias = vf_load((const float *)t->bias + n * VL);
        UNROLL for (int m = 0; m < mr; ++m) acc[m][n] = bias;
    }
}

INLINE void store_floats(const nm_tile *t, vf acc[][NM_MAX_NR], int mr, int nr) {
    const vf min = vf_set1(t->epilogue->min_f32), max = vf_set1(t->epilogue->max_f32);
    char *output = t->output;
    UNROLL for (int m = 0; m < mr; ++m, output += t->output_stride) {
        UNROLL for (int n = 0; n < nr; ++n) {
            vf_store((float *)output + n * VL, vf_max(min, vf_min(max, acc[m][n])),
                     n + 1 < nr ? VL : t->channels - (size_t)n * VL);
        }
    }
}

INLINE void tile_f32(const nm_tile *t, int mr, int nr) {
    vf acc[NM_MAX_MR][NM_MAX_NR];
    start_floats(t, acc, mr, nr);
    const nm_segments *const in = &t->segments;
    const ptrdiff_t stride = in->pixel_stride;
    const float *w = t->weights;
    if (!t->left_steps && !t->right_steps) {
        for (size_t s = 0; s < in->count; ++s)
            w = accumulate_f32(acc, (const char *)in->input + in->segment[s], stride, in->steps, w,
                               mr, nr);
    } else {
        const size_t steps = in->steps - t->left_steps - t->right_steps;
        for (size_t s = 0; s < in->count; ++s) {
            const char *x = (const char *)in->input + in->segment[s];
            if (t->left_steps)
                w = accumulate_f32(acc + 1, x + stride, stride, t->left_steps, w, mr - 1, nr);
            x += t->left_steps * sizeof(float);
            if (steps)
                w = accumulate_f32(acc, x, stride, steps, w, mr, nr);
            x += steps * sizeof(float);
            if (t->right_steps)
                w = accumulate_f32(acc, x, stride, t->right_steps, w, mr - 1, nr);
        }
    }
    store_floats(t, acc, mr, nr);
}

/** As tile_asking(). */
INLINE void tile_asking_f32(const nm_tile *t, int mr, int nr) {
    vf acc[NM_MAX_MR][NM_MAX_NR];
    start_floats(t, acc, mr, nr);
    const float *w = t->weights;
    pixel_walk pixels = start_walk(t);
    do {
        size_t steps;
        const char *const x = walk(&pixels, &steps, mr);
        w = accumulate_f32(acc, x, t->segments.pixel_stride, steps, w, mr, nr);
    } while (pixels.left > 0);
    store_floats(t, acc, mr, nr);
}

/** sum[m] = the staged activations of pixel m's window, for a weight zero point. */
static void window_sums(const nm_segments *in, size_t pixels, int32_t *sum) {
    for (size_t m = 0; m < pixels; ++m) {
        int32_t total = 0;
        for (size_t s = 0; s < in->count; ++s) {
            const act_t *x = (const act_t *)((const char *)in->input +
                                             (ptrdiff_t)m * in->pixel_stride + in->segment[s]);
            for (size_t i = 0; i < in->length; ++i)
                total += x[i];
        }
        sum[m] = total;
    }
}
