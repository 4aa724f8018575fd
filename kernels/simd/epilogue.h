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

/** Four vectors of accumulators, each with its channels' scales, to bytes in vc_pack's order. Needs
 *  epilogue.narrow, which promises that no product leaves int32: saturation does the rest. */
INLINE vc requantize_narrow(const vi *acc, const float *const *scale, const nm_epilogue *e) {
    vi q[4];
    UNROLL for (int i = 0; i < 4; ++i) q[i] =
        vi_round_f32(vf_mul(vf_from_i32(acc[i]), vf_load(scale[i])));
    /* signed bytes are made as unsigned ones 128 higher */
    const int offset = e->type == NM_INT8 ? 128 : 0;
    vc bytes = vc_pack(q, (int16_t)(e->zero_point + offset));
    if (e->min + offset > 0 || e->max + offset < 255)
        bytes = vc_clamp(bytes, vc_set1((uint8_t)(e->min + offset)),
                         vc_set1((uint8_t)(e->max + offset)));
    return offset ? vc_xor(bytes, vc_set1((uint8_t)offset)) : bytes;
}

/** Bytes of one output element. */
INLINE size_t output_size(const nm_epilogue *e) {
    return e->type == NM_INT32 || e->type == NM_FLOAT32 ? 4 : 1;
}

/* ---- Tiles: mr pixels x nr vectors of output channels, [mr][nr] in memory ------------------- */

/** A tile's vectors; they are read in fours. */
enum { TILE_VECTORS = NM_MAX_MR * NM_MAX_NR + 3 };

/** Requantized bytes, four vectors at a time whatever pixels they belong to. Where nr divides four,
 *  those are whole pixels. */
INLINE void store_tile_narrow(const nm_epilogue *e, size_t channel, size_t channels,
                              char *const *pixel, const vi *acc, int mr, int nr) {
    const int count = mr * nr;
    const int piece = 4 % nr ? 1 : nr; /* vectors that are stored together */
    for (int first = 0; first < count; first += 4) {
        const float *scale[4];
        UNROLL for (int i = 0; i < 4; ++i) scale[i] = e->scale + channel + (first + i) % nr * VL;
        uint8_t bytes[4 * VL];
        vc_store(bytes, vc_in_order(requantize_narrow(acc + first, scale, e)), sizeof bytes);
        UNROLL for (int i = 0; i < 4; i += piece) {
            const int at = first + i;
            if (at >= count || !pixel[at / nr])
                continue;
            const size_t c = (size_t)(at % nr) * VL, width = (size_t)piece * VL;
            if (c + width <= channels)
                memcpy(pixel[at / nr] + c, bytes + i * VL, width);
            else
                memcpy(pixel[at / nr] + c, bytes + i * VL, channels - c);
        }
    }
}

/** Stores `channels` channels of each pixel but the NULL ones. Out of line, like the next: one copy
 *  serves all tiles. */
static __attribute__((noinline)) void store_tile_i32(const nm_epilogue *e, size_t channel,
                                                     size_t channels, char *const *pixel,
                                                     const vi *acc, int mr, int nr) {
    if (e->narrow) {
        /* a constant for the loop above */
        switch (nr) {
        case 4:
            store_tile_narrow(e, channel, channels, pixel, acc, mr, 4);
            break;
        case 3:
            store_tile_narrow(e, channel, channels, pixel, acc, mr, 3);
            break;
        case 2:
            store_tile_narrow(e, channel, channels, pixel, acc, mr, 2);
            break;
        default:
            store_tile_narrow(e, channel, channels, pixel, acc, mr, 1);
        }
        return;
    }
    const size_t size = output_size(e);
    for (int i = 0; i < mr * nr; ++i) {
        const size_t c = (size_t)(i % nr) * VL;
        if (pixel[i / nr])
            store_i32(acc[i], e, channel + c, pixel[i / nr] + c * size,
                      channels - c < VL ? channels - c : VL);
    }
}

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
