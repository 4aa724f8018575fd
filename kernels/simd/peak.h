/** The ceiling: the tier's multiply-accumulate on registers, twelve independent chains. */

enum { PEAK_CHAINS = 12, PEAK_UNROLL = 64 };

/** Keeps a vector in a register and out of the optimizer's sight. */
#if defined(__x86_64__) || defined(__i386__)
#define OPAQUE(v) __asm__ volatile("" : "+x"(v))
#if VL == 16
#undef OPAQUE
#define OPAQUE(v) __asm__ volatile("" : "+v"(v))
#endif
#else
#define OPAQUE(v) __asm__ volatile("" : "+w"(v))
#endif

static uint64_t peak_int(uint64_t iterations) {
    act_t x[DOT_STEP] = {1, 1};
    wt_t w[VL * DOT_STEP] = {1};
    vx a = vx_broadcast(x);
    vw b = vw_load(w);
    vi acc[PEAK_CHAINS];
    UNROLL for (int i = 0; i < PEAK_CHAINS; ++i) acc[i] = vi_set1(i);
    for (uint64_t n = 0; n < iterations; ++n) {
        for (int u = 0; u < PEAK_UNROLL; ++u) {
            UNROLL for (int i = 0; i < PEAK_CHAINS; ++i) {
                OPAQUE(a); /* else a tier of two instructions a product could share the first */
                acc[i] = vi_dot(acc[i], a, b);
            }
        }
    }
    UNROLL for (int i = 0; i < PEAK_CHAINS; ++i) OPAQUE(acc[i]);
    return iterations * PEAK_UNROLL * PEAK_CHAINS * VL * DOT_STEP;
}

static uint64_t peak_f32(uint64_t iterations) {
    vf a = vf_set1(1.0f), b = vf_set1(0.0f);
    vf acc[PEAK_CHAINS];
    UNROLL for (int i = 0; i < PEAK_CHAINS; ++i) acc[i] = vf_set1((float)i);
    for (uint64_t n = 0; n < iterations; ++n) {
        for (int u = 0; u < PEAK_UNROLL; ++u) {
            UNROLL for (int i = 0; i < PEAK_CHAINS; ++i) {
                OPAQUE(a);
                acc[i] = vf_fma(a, b, acc[i]);
            }
        }
    }
    UNROLL for (int i = 0; i < PEAK_CHAINS; ++i) OPAQUE(acc[i]);
    return iterations * PEAK_UNROLL * PEAK_CHAINS * VL;
}
