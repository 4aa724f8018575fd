/**
 * One ISA tier: compiled once per row of tiers.inc, with NM_TIER naming the table, NM_TIER_ISA its
 * place in nm_isa, NM_VEC the vector layer's header and the row's instruction-set flags. With
 * NM_WIDE, of a tier whose own elements are bytes, only what nm_wide_tier() promises.
 */
#include "tier.h"
#include "winograd_axis.h"

#include <string.h>

/* A tile's loops must be inlined with constant bounds and unrolled, or its accumulators stay in
 * memory: slow, but right, which is all that a sanitizer asks, and its instrumented copies of every
 * tile would take minutes to compile. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NM_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NM_SANITIZED
#endif
#if defined(NM_SANITIZED)
#define INLINE static inline
#define UNROLL
#elif defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Hides from the compiler what a pointer's value is, so that it reads again what lies there. */
#define READ_AGAIN(pointer) __asm__("" : "+r"(pointer))

/* Has a loaded vector stay in its register: the compiler would make what several instructions share
 * an operand in memory of each. */
#if defined(__x86_64__)
#define IN_REGISTER(vector) __asm__("" : "+v"(vector))
#else
#define IN_REGISTER(vector) __asm__("" : "+w"(vector))
#endif

#include NM_VEC

/* Packed int4 weights: the low nibbles of so many bytes come before the high ones. */
enum { EXPAND_BLOCK = VL * 4 };
/* Steps of nr vectors that are whole blocks. */
#define PACKED_STEPS(nr) ((nr)*DOT_STEP % 8 == 0 ? 1 : (nr)*DOT_STEP % 4 == 0 ? 2 : 4)

#include "epilogue.h"
#include "tile.h"

#include "stage.h"
#if !defined(NM_WIDE)
#include "depthwise.h"
#include "peak.h"
#endif
#include "winograd.h"
#if defined(WIDENS)
#include "winograd4.h"
#endif

/* One function for each tile that fits the register file. */
#define UP_TO_1(X, nr) X(1, nr)
#define UP_TO_2(X, nr) UP_TO_1(X, nr) X(2, nr)
#define UP_TO_3(X, nr) UP_TO_2(X, nr) X(3, nr)
#define UP_TO_4(X, nr) UP_TO_3(X, nr) X(4, nr)
#define UP_TO_5(X, nr) UP_TO_4(X, nr) X(5, nr)
#define UP_TO_6(X, nr) UP_TO_5(X, nr) X(6, nr)
#define UP_TO_7(X, nr) UP_TO_6(X, nr) X(7, nr)
#define UP_TO_8(X, nr) UP_TO_7(X, nr) X(8, nr)
#define UP_TO_9(X, nr) UP_TO_8(X, nr) X(9, nr)
#define UP_TO_10(X, nr) UP_TO_9(X, nr) X(10, nr)
#define UP_TO_11(X, nr) UP_TO_10(X, nr) X(11, nr)
#define UP_TO_12(X, nr) UP_TO_11(X, nr) X(12, nr)
#define UP_TO_13(X, nr) UP_TO_12(X, nr) X(13, nr)
#define UP_TO_14(X, nr) UP_TO_13(X, nr) X(14, nr)

/* One for each number of vectors. */
#if VECTOR_REGISTERS == 32
#define WIDTHS(X) X(1, 1) X(1, 2) X(1, 3) X(1, 4)
#else
#define WIDTHS(X) X(1, 1) X(1, 2)
#endif

#if defined(WIDENS)
#define DEFINE_WINOGRAD4(MR, NR)                                                                   \
    static void winograd4_##MR##x##NR(const nm_winograd_tile *t) { winograd4(t, MR, NR); }
#define ROW_WINOGRAD4(MR, NR) [NR][MR] = winograd4_##MR##x##NR,
TILES(DEFINE_WINOGRAD4)
#endif

#if !defined(NM_WIDE)
#define DEFINE(MR, NR)                                                                             \
    static void tile_int_##MR##x##NR(const nm_tile *t) { tile_int(t, false, MR, NR); }             \
    static void tile_grouped_##MR##x##NR(const nm_tile *t) { tile_grouped(t, MR, NR); }            \
    static void tile_f32_##MR##x##NR(const nm_tile *t) { tile_f32(t, MR, NR); }                    \
    static void tile_asking_##MR##x##NR(const nm_tile *t) { tile_asking(t, MR, NR); }              \
    static void tile_asking_f32_##MR##x##NR(const nm_tile *t) { tile_asking_f32(t, MR, NR); }      \
    static void winograd_##MR##x##NR(const nm_winograd_tile *t) { winograd(t, false, MR, NR); }
TILES(DEFINE)

#if defined(WIDENS)
#define DEFINE_WIDENING(MR, NR)                                                                    \
    static void winograd_widening_##MR##x##NR(const nm_winograd_tile *t) {                         \
        winograd(t, true, MR, NR);                                                                 \
    }
#define ROW_WIDENING(MR, NR) [NR][MR] = winograd_widening_##MR##x##NR,
TILES(DEFINE_WIDENING)
#else
#define ROW_WIDENING(MR, NR) [NR][MR] = NULL,
#endif

#if defined(NM_INT4_WEIGHTS)
#define DEFINE_EXPANDING(MR, NR)                                                                   \
    static void tile_expanding_##MR##x##NR(const nm_tile *t) { tile_int(t, true, MR, NR); }
#define ROW_EXPANDING(MR, NR) [NR][MR] = tile_expanding_##MR##x##NR,
TILES(DEFINE_EXPANDING)
#else
#define ROW_EXPANDING(MR, NR) [NR][MR] = NULL,
#endif

#if defined(NM_INT4_WEIGHTS) && defined(HIGH_NIBBLES)
#define DEFINE_NIBBLES(MR, NR)                                                                     \
    static void tile_nibbles_##MR##x##NR(const nm_tile *t) { tile_nibbles(t, MR, NR); }
#define ROW_NIBBLES(MR, NR) [NR][MR] = tile_nibbles_##MR##x##NR,
TILES(DEFINE_NIBBLES)
#else
#define ROW_NIBBLES(MR, NR) [NR][MR] = NULL,
#endif

#define DEFINE_PACKED(MR, NR)                                                                      \
    static void tile_packed_##NR(const nm_tile *t) { tile_packed(t, NR); }
WIDTHS(DEFINE_PACKED)
#define ROW_PACKED(MR, NR) [NR] = tile_packed_##NR,

#define ROW_INT(MR, NR) [NR][MR] = tile_int_##MR##x##NR,
#define ROW_GROUPED(MR, NR) [NR][MR] = tile_grouped_##MR##x##NR,
#define ROW_F32(MR, NR) [NR][MR] = tile_f32_##MR##x##NR,
#define ROW_ASKING(MR, NR) [NR][MR] = tile_asking_##MR##x##NR,
#define ROW_ASKING_F32(MR, NR) [NR][MR] = tile_asking_f32_##MR##x##NR,
#define ROW_WINOGRAD(MR, NR) [NR][MR] = winograd_##MR##x##NR,
#endif

const nm_tier NM_TIER = {
    .isa = NM_TIER_ISA,
    .emulated = VEC_EMULATED,
    .lanes = VL,
    .step = DOT_STEP,
    .act_size = sizeof(act_t),
    .wt_size = sizeof(wt_t),
    .act_bias_u8 = ACT_BIAS_U8,
    .act_bias_s8 = ACT_BIAS_S8,
    .act_bias_s4 = ACT_BIAS_S4,
    .mr = TILE_MR,
    .stage = stage,
    .stage_block = VA_LANES,
    .fill = fill,
    .weave = weave,
    .expand = expand,
    .expand_high = expand_high,
    .expand_block = EXPAND_BLOCK,
    .window_sums = window_sums,
    .winograd_part = winograd_part,
    .winograd_filters = winograd_filters,
    .winograd_bias = WINOGRAD_BIAS,
    .winograd_dot = WINOGRAD_DOT,
#if defined(WIDENS)
    .winograd4 = {TILES(ROW_WINOGRAD4)},
    .winograd4_filters = winograd4_filters,
#endif
#if !defined(NM_WIDE)
    .tile_int = {TILES(ROW_INT)},
    .tile_expanding = {TILES(ROW_EXPANDING)},
    .tile_packed = {WIDTHS(ROW_PACKED)},
    .packed_steps = {0, PACKED_STEPS(1), PACKED_STEPS(2), PACKED_STEPS(3), PACKED_STEPS(4)},
    .tile_nibbles = {TILES(ROW_NIBBLES)},
    .tile_grouped = {TILES(ROW_GROUPED)},
    .tile_f32 = {TILES(ROW_F32)},
    .tile_asking = {TILES(ROW_ASKING)},
    .tile_asking_f32 = {TILES(ROW_ASKING_F32)},
    .direct_dot_8 = DIRECT_DOT_8,
    .winograd = {TILES(ROW_WINOGRAD)},
    .winograd_widening = {TILES(ROW_WIDENING)},
    .depthwise_int = depthwise_int,
    .depthwise_f32 = depthwise_f32,
#if defined(HIGH_NIBBLES)
    .depthwise_nibbles = depthwise_nibbles,
#endif
    .depthwise_vectors = DW_VECTORS,
    .depthwise_pixels = DW_PIXELS,
    .depthwise_sign = DW_SIGN,
    .peak_int = peak_int,
    .peak_f32 = peak_f32,
#endif
};
