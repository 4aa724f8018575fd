/** Depthwise: lanes are channels, one filter a channel. A block of channels at a time over the run,
 *  so that its weights stay near. */

/** Tap t's weights of a block, as int32 lanes. */
INLINE vi depthwise_weights(const nm_depthwise_run *r, const int8_t *block, size_t tap) {
    if (!r->int4)
        return vi_load_s8(block + tap * VL);
    /* the even tap of a pair is in the low nibble: raise it to the top, then sign-extend down */
    const vi pair = vi_load_s8(block + tap / 2 * VL);
    const vi up = vi_sllv(pair, vi_set1(tap % 2 ? 24 : 28));
    return vi_srav(up, vi_set1(28));
}

/** PIXELS outputs of one channel block; `n` channels of it exist. */
INLINE void depthwise_int_pixels(const nm_depthwise_run *r, const char *input, const int8_t *block,
                                 size_t channel, size_t n, char *output, int pixels) {
    vi acc[4];
    UNROLL for (int p = 0; p < pixels; ++p) acc[p] = vi_load((const int32_t *)r->bias + channel);
    for (size_t t = 0; t < r->taps; ++t) {
        const vi w = vi_sub(depthwise_weights(r, block, t), vi_set1(r->weight_zero_point));
        UNROLL for (int p = 0; p < pixels; ++p) {
            const act_t *x = (const act_t *)(input + r->tap[t] + p * r->pixel_stride) + channel;
            acc[p] = vi_add(acc[p], vi_mul(vi_load_act(x, n), w));
        }
    }
    UNROLL for (int p = 0; p < pixels; ++p)
        store_i32(acc[p], r->epilogue, channel, output + p * r->output_stride, n);
}

INLINE void depthwise_f32_pixels(const nm_depthwise_run *r, const char *input, const float *block,
                                 size_t channel, size_t n, char *output, int pixels) {
    vf acc[4];
    UNROLL for (int p = 0; p < pixels; ++p) acc[p] = vf_load((const float *)r->bias + channel);
    for (size_t t = 0; t < r->taps; ++t) {
        const vf w = vf_load(block + t * VL);
        UNROLL for (int p = 0; p < pixels; ++p) {
            const float *x = (const float *)(input + r->tap[t] + p * r->pixel_stride) + channel;
            acc[p] = vf_fma(vf_load_n(x, n), w, acc[p]);
        }
    }
    UNROLL for (int p = 0; p < pixels; ++p)
        store_f32(acc[p], r->epilogue, channel, output + p * r->output_stride, n);
}

#define DEPTHWISE_RUN(name, weight_type, block_length)                                             \
    static void name(const nm_depthwise_run *r) {                                                  \
        const size_t size = output_size(r->epilogue);                                              \
        const weight_type *block = r->weights;                                                     \
        for (size_t c = 0; c < r->channels; c += VL, block += (block_length)) {                    \
            const size_t n = r->channels - c < VL ? r->channels - c : VL;                          \
            const char *in = r->input;                                                             \
            char *out = (char *)r->output + c * size;                                              \
            size_t p = 0;                                                                          \
            for (; p + 4 <= r->pixels; p += 4) {                                                   \
                if (n == VL)                                                                       \
                    name##_pixels(r, in, block, c, VL, out, 4);                                    \
                else                                                                               \
                    name##_pixels(r, in, block, c, n, out, 4);                                     \
                in += 4 * r->pixel_stride;                                                         \
                out += 4 * r->output_stride;                                                       \
            }                                                                                      \
            for (; p < r->pixels; ++p) {                                                           \
                name##_pixels(r, in, block, c, n, out, 1);                                         \
                in += r->pixel_stride;                                                             \
                out += r->output_stride;                                                           \
            }                                                                                      \
        }                                                                                          \
    }

DEPTHWISE_RUN(depthwise_int, int8_t, (r->int4 ? (r->taps + 1) / 2 : r->taps) * VL)
DEPTHWISE_RUN(depthwise_f32, float, r->taps *VL)
