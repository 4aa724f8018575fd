/** From accumulators in registers to stored outputs. */

/** Requantizes one vector of accumulators of the channels from `channel` on. */
INLINE vi requantize_float(vi acc, const nm_epilogue *e, size_t channel) {
    const vf y = vf_mul(vf_from_i32(acc), vf_load(e->scale + channel));
    const vf clamped = vf_max(vf_set1(e->min_f32), vf_min(vf_set1(e->max_f32), y));
    return vi_add(vi_round_f32(clamped), vi_set1(e->zero_point));
}

INLINE vi requantize_tflite(vi acc, const nm_epilogue *e, size_t channel) {
    const vi shifted = vi_sllv(acc, vi_load(e->shift_left + channel));
    const vi high = vi_doubling_high_mul(shifted, vi_load(e->multiplier + channel));
    const vi shift = vi_load(e->shift_right + channel);
    const vi mask = vi_sub(vi_sllv(vi_set1(1), shift), vi_set1(1));
    const vi half = vi_srav(mask, vi_set1(1));
    const vi threshold = vi_add(half, vi_gt(vi_set1(0), high));
    const vi q = vi_add(vi_srav(high, shift), vi_gt(vi_and(high, mask), threshold));
    /* clamp before the zero point is added, so that nothing overflows */
    const vi zero_point = vi_set1(e->zero_point);
    return vi_add(
        vi_max(vi_set1(e->min - e->zero_point), vi_min(vi_set1(e->max - e->zero_point), q)),
        zero_point);
}

INLINE void store_i32(vi acc, const nm_epilogue *e, size_t channel, void *out, size_t n) {
    switch (e->type) {
    case NM_INT32:
        vi_store(out, vi_max(vi_set1(e->min), vi_min(vi_set1(e->max), acc)), n);
        break;
    case NM_FLOAT32: {
        const vf y = vf_mul(vf_from_i32(acc), vf_load(e->scale + channel));
        vf_store(out, vf_max(vf_set1(e->min_f32), vf_min(vf_set1(e->max_f32), y)), n);
        break;
    }
    default:
        vi_store_u8(out,
                    e->rounding == NM_ROUNDING_FLOAT ? requantize_float(acc, e, channel)
                                                     : requantize_tflite(acc, e, channel),
                    n);
    }
}

/** Float accumulators: of f32 (scale is NULL) and of grouped scales. */
INLINE void store_f32(vf acc, const nm_epilogue *e, size_t channel, void *out, size_t n) {
    if (e->scale)
        acc = vf_mul(acc, vf_load(e->scale + channel));
    acc = vf_max(vf_set1(e->min_f32), vf_min(vf_set1(e->max_f32), acc));
    if (e->type == NM_FLOAT32)
        vf_store(out, acc, n);
    else
        vi_store_u8(out, vi_add(vi_round_f32(acc), vi_set1(e->zero_point)), n);
}

/** Clamped, and signed where outputs are. */
INLINE vc finish_bytes(vc bytes, const nm_epilogue *e) {
    if (e->pack_plain)
        return bytes;
    return vc_xor(vc_clamp(bytes, vc_set1(e->pack_min), vc_set1(e->pack_max)),
                  vc_set1(e->pack_flip));
}

/** Four vectors of rounded outputs to bytes in vc_pack's order. */
INLINE vc pack_bytes(const vi *q, int16_t zero_point, const nm_epilogue *e) {
    return finish_bytes(vc_pack(q, zero_point), e);
}

/** Four vectors of accumulators, each with its channels' scales, to bytes in vc_pack's order. Needs
 *  epilogue.narrow, which promises that no product leaves int32: saturation does the rest. */
INLINE vc requantize_narrow(const vi *acc, const vf *scale, const nm_epilogue *e) {
    vi q[4];
    UNROLL for (int i = 0; i < 4; ++i) q[i] = vi_round_f32(vf_mul(vf_from_i32(acc[i]), scale[i]));
    /* signed bytes are made as unsigned ones 128 higher */
    return pack_bytes(q, e->pack_zero, e);
}

/** Likewise of accumulators whose epilogue has an offset: see nm_epilogue_offset(). */
INLINE vc requantize_from_zero(const vi *acc, const vf *scale, const vf *offset,
                               const nm_epilogue *e) {
    vi q[4];
    UNROLL for (int i = 0; i < 4; ++i) q[i] =
        vi_round_f32(vf_fma(vf_from_bits(acc[i]), scale[i], offset[i]));
    return pack_bytes(q, 0, e);
}

/** Bytes of one output element. */
INLINE size_t output_size(const nm_epilogue *e) {
    return e->type == NM_INT32 || e->type == NM_FLOAT32 ? 4 : 1;
}

/* ---- Tiles: mr pixels x nr vectors of output channels ---------------------------------------- */

/** Pixels whose vectors are requantized together: as many as fill four, at least one. */
#define PIXELS_TOGETHER(nr) ((nr) > 2 ? 1 : 4 / (nr))

/** What a tile's narrow epilogue needs, in registers before the first store: for all that the
 * compiler knows, storing bytes changes what memory holds. */
typedef struct narrow_tile {
    nm_epilogue e;
    bool from_zero; /* whether it has an offset */
    size_t channels;
    vf scale[NM_MAX_NR], offset[NM_MAX_NR];
} narrow_tile;

/** Of the nr vectors from `channel` on, of which `channels` channels are stored. */
INLINE narrow_tile narrow_epilogue(const nm_epilogue *e, bool from_zero, size_t channel,
                                   size_t channels, int nr) {
    narrow_tile t = {.e = *e, .from_zero = from_zero, .channels = channels};
    UNROLL for (int n = 0; n < nr; ++n) {
        t.scale[n] = vf_load(e->scale + channel + n * VL);
        if (from_zero)
            t.offset[n] = vf_load(e->offset + channel + n * VL);
    }
    return t;
}

/** Requantizes `pixels` <= PIXELS_TOGETHER(nr) pixels straight from their registers and stores
 * their bytes. */
INLINE void store_pixels_narrow(const narrow_tile *t, char *const *pixel, vi acc[][NM_MAX_NR],
                                int pixels, int nr) {
    vi q[4];
    vf scale[4], offset[4];
    UNROLL for (int i = 0; i < 4; ++i) {
        /* where fewer than four are left, the last stands in for them, at no cost */
        const int at = i < pixels * nr ? i : pixels * nr - 1;
        q[i] = acc[at / nr][at % nr];
        scale[i] = t->scale[at % nr];
        if (t->from_zero)
            offset[i] = t->offset[at % nr];
    }
    const vc bytes = vc_in_order(t->from_zero ? requantize_from_zero(q, scale, offset, &t->e)
                                              : requantize_narrow(q, scale, &t->e));
    UNROLL for (int i = 0; i < pixels; ++i)
        vc_store_part((uint8_t *)pixel[i], bytes, i, PIXELS_TOGETHER(nr), t->channels);
}

/** A tile's vectors in memory, [mr][nr]. */
enum { TILE_VECTORS = NM_MAX_MR * NM_MAX_NR };

/** Any integer epilogue: stores `channels` channels of each pixel. Out of line, like the next: one
 *  copy serves all tiles. */
static __attribute__((noinline)) void store_tile_i32(const nm_epilogue *e, size_t channel,
                                                     size_t channels, char *const *pixel,
                                                     const vi *acc, int mr, int nr) {
    const size_t size = output_size(e);
    for (int i = 0; i < mr * nr; ++i) {
        const size_t c = (size_t)(i % nr) * VL;
        store_i32(acc[i], e, channel + c, pixel[i / nr] + c * size,
                  channels - c < VL ? channels - c : VL);
    }
}

/** Likewise of float sums. */
static __attribute__((noinline)) void store_tile_f32(const nm_epilogue *e, size_t channel,
                                                     size_t channels, char *const *pixel,
                                                     const vf *acc, int mr, int nr) {
    const size_t size = output_size(e);
    for (int i = 0; i < mr * nr; ++i) {
        const size_t c = (size_t)(i % nr) * VL;
        store_f32(acc[i], e, channel + c, pixel[i / nr] + c * size,
                  channels - c < VL ? channels - c : VL);
    }
}
