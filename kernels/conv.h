/** The inside of a plan, shared by the families of kernels that can carry one out. */
#ifndef NM_CONV_H
#define NM_CONV_H

#include "tier.h"

#include <stdlib.h>

typedef struct nm_family nm_family;

struct nm_conv {
    nm_conv_desc desc; /**< of a round; its pointers are cleared: the epilogue has the copies */
    size_t rounds;     /**< of desc.batch images each that make up the caller's batch */
    nm_conv_info info;
    char kernel[64]; /**< what info.kernel points to */
    const nm_tier *tier;
    const nm_family *family;
    size_t group_in, group_out; /**< channels of one group */
    size_t reduction;           /**< K: kernel_height * kernel_width * group_in */
    nm_epilogue epilogue;
    void *plan; /**< the family's own */
};

/** A way to carry out a convolution. */
struct nm_family {
    nm_algorithm algorithm;
    /** Whether the family can do what conv describes on conv->tier. */
    bool (*supports)(const nm_conv *conv, const void *weights, const void *bias);
    /** Packs the weights into conv->plan and names the kernel; adds to info.weight_bytes. */
    nm_status (*create)(nm_conv *conv, const void *weights, const void *bias);
    void (*destroy)(void *plan);
    size_t (*workspace_size)(const nm_conv *conv, unsigned threads);
    void (*run)(const nm_conv *conv, const void *input, void *output, void *workspace,
                unsigned threads);
};

extern const nm_family nm_family_reference, nm_family_depthwise, nm_family_winograd4,
    nm_family_winograd, nm_family_direct;

/** Bytes of n elements of a tensor; packed types round up. */
size_t nm_tensor_bytes(nm_dtype type, size_t n);

/** a / b rounded up. */
static inline size_t nm_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
static inline size_t nm_round_up(size_t a, size_t b) { return nm_ceil_div(a, b) * b; }

/** Zeroed, 64-byte aligned; free() it. NULL when out of memory. */
void *nm_alloc(size_t bytes);

/** As nm_alloc(), for what is written as a whole: of any values. */
void *nm_alloc_unset(size_t bytes);

/** A workspace is cut into pieces on cache-line boundaries. */
static inline size_t nm_piece(size_t bytes) { return nm_round_up(bytes, 64); }

static inline bool nm_is_int4(const nm_conv *conv) {
    return conv->desc.precision == NM_W4A8 || conv->desc.precision == NM_W4A4;
}

/** Weight k (flattened HWI) of output channel o, sign-extended; integer precisions. */
int32_t nm_weight_at(const nm_conv *conv, const void *weights, size_t o, size_t k);

/** Packs `count` values, a multiple of 2 * block, two a byte in the order that nm_tier.expand
 *  undoes. */
void nm_compress_int4(const void *values, size_t count, size_t block, void *packed);

/**
 * Gives the epilogue an offset where accumulators up to `largest` in magnitude allow it; false when
 * out of memory. They must start at NM_TWO_23_BITS then: the bits of the float 2^23 + sum need no
 * conversion, and a fused multiply-add with the scale and -2^23 * scale, which is exact, rounds
 * sum * scale once, as the product that it stands for. A negative sum makes some number below 2^23,
 * and that some negative output: which one does not matter where outputs are packed with a zero
 * point of 0 and saturate there, as ReLU's do.
 */
bool nm_epilogue_offset(const nm_conv *conv, nm_epilogue *e, uint64_t largest);

/** The greatest magnitude of a sum of products of a narrow layer, without bias. */
uint64_t nm_largest_sum(const nm_conv *conv);

/** The greatest magnitude of a bias; `bias` may be NULL. */
uint64_t nm_largest_bias(const nm_conv *conv, const int32_t *bias);

/** Spreads `bytes` bytes of each of `count` rows, which are `row_bytes` apart, over lanes: the t-th
 *  `chunk` of row i goes to out + t * width + i * chunk. */
void nm_spread_rows(const char *rows, size_t row_bytes, size_t count, size_t bytes, size_t chunk,
                    size_t width, char *out);

/** The sum of `count` weights. */
int32_t nm_sum(const int8_t *weights, size_t count);

/** Most vectors of output channels in a tile of the tier. */
size_t nm_widest_tile(const nm_tier *tier);

/** How many of `threads` a run of that many MACs keeps busy. */
unsigned nm_useful_threads(const nm_conv *conv, unsigned threads);

#endif
