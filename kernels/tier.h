/**
 * The seam between the portable drivers and the code compiled once per ISA tier.
 *
 * A tier is one table of microkernels. simd/tier.c is compiled once for each row of tiers.inc, with
 * that row's compiler flags and vector layer, and exports the table; the drivers (direct.c,
 * depthwise.c, winograd.c) know nothing of instructions.
 */
#ifndef NM_TIER_H
#define NM_TIER_H

#include "narrowmac.h"

enum {
    NM_MAX_LANES = 16,       /**< most int32 lanes of a vector on any tier */
    NM_MAX_NR = 4,           /**< most vectors of output channels in a tile */
    NM_MAX_MR = 14,          /**< most pixels in a tile */
    NM_MAX_STAGE_BLOCK = 64, /**< most bytes of an nm_tier.stage_block */
    /** Elements by which per-channel arrays and panels may be over-read. */
    NM_CHANNEL_SLACK = NM_MAX_LANES * NM_MAX_NR,
    /** An integer n of 0..2^23 - 1 added to the bits of the float 2^23 makes those of 2^23 + n. */
    NM_TWO_23_BITS = 0x4B000000,
    /** Elements between the weights of nm_tier.winograd4's positions, which would all lie in the
     * same set of the first-level cache where a power of two were from one to the next. */
    NM_WINOGRAD4_GAP = 32,
    /** Bytes after the last element of an activation buffer of ours that a kernel may read. */
    NM_ACTIVATION_SLACK = 64,
};

/** What becomes of an accumulator; per-channel arrays hold out_channels + NM_CHANNEL_SLACK values.
 */
typedef struct nm_epilogue {
    nm_dtype type;
    nm_rounding rounding;
    const float *scale;        /**< float rounding and float output of integers; else NULL */
    const int32_t *multiplier; /**< TFLite rounding */
    const int32_t *shift_left, *shift_right;
    int32_t zero_point;
    int32_t min, max;       /**< 8-bit and int32 outputs, in output units */
    float min_f32, max_f32; /**< float outputs; for 8-bit ones, the bounds less the zero point */
    bool narrow;       /**< 8-bit by float rounding, and every |scale| is so far below 1 that no
                            product of an int32 leaves int32: saturating packs to unsigned bytes serve */
    int16_t pack_zero; /**< the zero point of those; signed bytes are made 128 higher */
    uint8_t pack_min, pack_max, pack_flip; /**< then clamped, then XORed, ... */
    bool pack_plain;                       /**< ... or neither: they are the outputs */
    /** Accumulators that start NM_TWO_23_BITS higher: -2^23 * scale; else NULL. */
    const float *offset;
} nm_epilogue;

/** Segments of the reduction: runs of activations that are contiguous for every pixel. Segment s of
 * pixel m starts at input + m * pixel_stride + segment[s]; it is read in whole steps of the tier's
 * `step` elements, the packed weights being zero beyond its length. */
typedef struct nm_segments {
    const void *input;
    ptrdiff_t pixel_stride;   /**< bytes */
    const ptrdiff_t *segment; /**< bytes */
    size_t count;
    size_t length, steps; /**< of each: elements, and the steps that they take */
} nm_segments;

/** One tile of a convolution: up to mr pixels x nr vectors of output channels. With 8 bytes more,
 * gcc clears it by `rep stos` for each row of tiles, as slow as a small tile. */
typedef struct nm_tile {
    nm_segments segments;
    nm_segments rest; /**< after them, in tile_int only; count 0: none */
    /** Of each segment's steps: the first ones, in which pixel 0 takes no part, as it would see
     * padding, and the last, without the last pixel. Where there are such, there is no `rest`. */
    size_t left_steps, right_steps;
    uint32_t ahead;            /**< 0, or for the tile to ask for pixels so many bytes ahead */
    bool small_activations;    /**< of four bits */
    const void *weights;       /**< [segment][step][nr][lanes][step elements] */
    const void *packed;        /**< of what nm_tier.tile_expanding makes them first */
    const void *bias;          /**< int32 or float [nr * lanes]: the accumulators' start */
    const int32_t *pixel_term; /**< int32 [mr] added to every channel's accumulator, or NULL */

    /** Grouped scales: each segment is a group, with its own start and scale; bias is float. */
    const int32_t *group_start; /**< [segment][nr * lanes] */
    const float *group_scale;   /**< [segment][nr * lanes] */

    void *output;            /**< first pixel, first channel of the tile */
    ptrdiff_t output_stride; /**< bytes from pixel to pixel */
    size_t channel;          /**< first output channel: index into the epilogue's arrays */
    size_t channels;         /**< how many are stored, <= nr * lanes */
    const nm_epilogue *epilogue;
} nm_tile;

typedef void nm_tile_fn(const nm_tile *tile);

/** Some Winograd tiles that follow each other in a row, for the input transform. Pixels are staged
 * `tile_bytes` apart, a row's even ones before its odd ones (for tiles of four outputs, every
 * fourth ones): of all tiles, and all their channels, the same pixels are one run. */
typedef struct nm_winograd_strip {
    const void *input;            /**< the first tile's first pixel */
    ptrdiff_t row_bytes;          /**< from row to row */
    ptrdiff_t parity_bytes;       /**< from even to odd pixels, or from every fourth to the next */
    bool five_rows, five_columns; /**< nm_winograd_5 along the axis, else nm_winograd_3 */
    size_t tiles;
    ptrdiff_t tile_bytes; /**< also from tile to tile of what is transformed */
} nm_winograd_strip;

/** Filters of a panel, for the weight transform. */
typedef struct nm_winograd_filters {
    bool five_rows, five_columns; /**< as in nm_winograd_strip */
    /** [height][width][count], and NM_ACTIVATION_SLACK bytes after them. */
    const int8_t *taps;
    size_t
        count; /**< step * nr * lanes * step elements, in the order of nm_winograd_tile.weights */
} nm_winograd_filters;

/**
 * Up to mr Winograd tiles of 2x2 outputs x nr vectors of output channels. The positions of the
 * transformed tiles come in order of execution: four rows of four phases, each phase a run of
 * positions that are summed.
 */
typedef struct nm_winograd_tile {
    void *input;          /**< [position][mr][channels] transformed activations */
    ptrdiff_t tile_bytes; /**< from tile to tile */
    size_t steps;         /**< per position */
    /** Strips that make up the tiles, to be transformed into `input` a row of phases at a time,
     * right before it is needed; none if that was done. */
    const nm_winograd_strip *strip;
    size_t strips;
    bool transient;           /**< each row of phases takes the place of the last in `input` */
    const uint8_t *positions; /**< [16] how many each phase has */
    const void *weights;      /**< [position][step][nr][lanes][step elements] */
    const int8_t *packed;     /**< of what nm_tier.winograd_widening makes them first */
    const int32_t *start;     /**< [output row][output column][nr * lanes] */
    char *const *output;      /**< [output row][output column][mr] pixels */
    size_t channel, channels;
    const nm_epilogue *epilogue;
} nm_winograd_tile;

typedef void nm_winograd_fn(const nm_winograd_tile *tile);

/**
 * Rows of depthwise outputs, one block of channels: lanes are channels.
 *
 * Integer activations are bytes; each is XORed with `flip` (0x80 where the caller's signedness is
 * not the tier's). Taps of a column are multiplied together: the kernel's rows are cut into groups
 * of the tier's `step`, and a block of channels fills `depthwise_vectors` vectors a group. Lane i
 * of vector j is channel i / 4 * 4 * depthwise_vectors + 4 * j + i % 4 of the block, which is the
 * order in which interleaving bytes within 128-bit lanes leaves them.
 *
 * A block of half or a quarter of those channels has 2 or 4 pixels side by side in its vectors, as
 * many as the tier's `depthwise_pixels` at most: each part has the same weights.
 *
 * For depthwise_nibbles, a byte holds two channels: the lanes are those of the bytes' low nibbles,
 * then of their high ones, which are multiplied where they stand: bias, scale and offset are those
 * of 16 times the sums. Blocks have up to twice as many channels, of which each run->channels is
 * even; there must be an offset, and no scaled sum may leave int16.
 */
typedef struct nm_depthwise_run {
    /** Column 0 of input rows, channel `channel`; output row o reads `rows` of them, from
     *  o * row_step on. */
    const char *const *row;
    size_t row_step, rows;
    ptrdiff_t column_bytes; /**< from column to column */
    size_t columns;         /**< how many exist */
    const char *absent;     /**< what the others hold, for the block's channels */
    ptrdiff_t first_column; /**< of the first output; negative in left padding */
    size_t kernel_width, stride, dilation;
    uint8_t pad, flip; /**< integers: padding as the kernel sees it, and the XOR */
    /** Integers: [output row][kernel column][row group][vector][lane][step] weights of the tier's
     * type, those of low nibbles before those of high ones; float: [vector of channels][tap][lane].
     */
    const void *weights;
    const void *bias;    /**< in the lanes' order: int32 [vector][lane]; float [channel] */
    const float *scale;  /**< in the lanes' order, where epilogue->narrow; else NULL */
    const float *offset; /**< likewise, see depthwise.c; NULL where sums start at the bias alone */
    size_t pixels, output_rows;
    size_t channel, channels; /**< the block's first output channel; how many it has */
    size_t together;          /**< integers: pixels in a vector: 1, 2 or 4 */
    size_t outputs;           /**< rows to which `weights` apply: 1; 3x3 kernels, stride 1: 2 */
    char *output;             /**< first pixel, the block's first channel */
    ptrdiff_t output_row, output_stride; /**< bytes from row to row, from pixel to pixel */
    const nm_epilogue *epilogue;
} nm_depthwise_run;

typedef void nm_depthwise_fn(const nm_depthwise_run *run);

/** A run of integer activations to bring into the microkernels' own form. */
typedef struct nm_stage_row {
    const void *input; /**< of the run; for packed types, of the whole tensor */
    size_t first;      /**< packed types: index of the run's first element in `input` */
    size_t count;
    nm_dtype type;
    /** Packed types: 0, or the low nibbles of so many bytes come before the high ones; `first` and
     * `count` are multiples of twice that. */
    size_t block;
} nm_stage_row;

typedef struct nm_tier {
    nm_isa isa;
    bool emulated;
    size_t lanes;        /**< int32 or float lanes of a vector */
    size_t step;         /**< activations of one integer step: 4 for byte dot products */
    size_t act_size;     /**< bytes of one staged integer activation */
    size_t wt_size;      /**< bytes of one integer weight as the microkernel reads it */
    int32_t act_bias_u8; /**< what staging adds to a uint8 activation */
    int32_t act_bias_s8; /**< to an int8 one */
    int32_t act_bias_s4; /**< to an int4 one */
    /** Most pixels of a tile of that many vectors of output channels; 0: no such tile. */
    size_t mr[NM_MAX_NR + 1];

    nm_tile_fn *tile_int[NM_MAX_NR + 1][NM_MAX_MR + 1]; /**< [nr][mr] */
    /** The first of the tiles that read the same int4 weights makes them as it goes; the steps of
     * a segment must be multiples of packed_steps. Where there is none, `expand` comes before. */
    nm_tile_fn *tile_expanding[NM_MAX_NR + 1][NM_MAX_MR + 1];
    /** One pixel, the weights packed as nm_compress_int4() leaves them; the steps of a segment must
     * be a multiple of packed_steps. */
    nm_tile_fn *tile_packed[NM_MAX_NR + 1];
    size_t packed_steps[NM_MAX_NR + 1];
    /** Of 1x1 kernels: two segments, the low and the high nibbles of the same uint4 pixels as they
     * are packed. High ones are multiplied where they stand, so weights of low ones are those of
     * `expand_high`, and the sums are 16 times as large. NULL where there are none. */
    nm_tile_fn *tile_nibbles[NM_MAX_NR + 1][NM_MAX_MR + 1];
    nm_tile_fn *tile_grouped[NM_MAX_NR + 1][NM_MAX_MR + 1];
    nm_tile_fn *tile_f32[NM_MAX_NR + 1][NM_MAX_MR + 1];
    /** Of 1x1 kernels, one segment at offset 0, whose pixels come from memory: as tile_int and
     * tile_f32, and they ask for pixels nm_tile.ahead bytes ahead. */
    nm_tile_fn *tile_asking[NM_MAX_NR + 1][NM_MAX_MR + 1];
    nm_tile_fn *tile_asking_f32[NM_MAX_NR + 1][NM_MAX_MR + 1];
    nm_winograd_fn *winograd[NM_MAX_NR + 1][NM_MAX_MR + 1]; /**< [nr][mr] */
    /** The first of the blocks that read the same weights makes them of bytes as it goes. NULL
     * where weights are bytes. */
    nm_winograd_fn *winograd_widening[NM_MAX_NR + 1][NM_MAX_MR + 1];
    /** Tiles of 4x4 outputs of 3x3 kernels: 36 positions in row-major order, `start` [nr * lanes]
     * that of all outputs. Accumulators must fit 26 bits. NULL where elements are bytes. */
    nm_winograd_fn *winograd4[NM_MAX_NR + 1][NM_MAX_MR + 1];
    /** What their positions multiply, [36][count + NM_WINOGRAD4_GAP], of elements [3][3][count]. */
    void (*winograd4_filters)(const void *taps, size_t count, void *out);
    /** Parts a row's pixels, of `bytes` bytes each, into every `parts`-th ones, `stride` bytes
     * apart; `part_bytes` lie from part to part. */
    void (*winograd_part)(const void *row, size_t pixels, size_t bytes, size_t stride, size_t parts,
                          size_t part_bytes, void *out);
    /** What each position multiplies, in order of execution: [position][count]. */
    void (*winograd_filters)(const nm_winograd_filters *filters, void *out);
    /** What the microkernels add to every transformed activation, which lie in -30..60. */
    int32_t winograd_bias;
    float winograd_dot; /**< what one of their dot products costs in those of tile_int ... */
    float direct_dot_8; /**< with activations of 4 bits; and what one with 8 bits costs */
    nm_depthwise_fn *depthwise_int, *depthwise_f32;
    /** 3x3 without dilation, stride 1 or columns of stride 2, of nibbles as they are packed; NULL
     * where there is none. */
    nm_depthwise_fn *depthwise_nibbles;
    size_t depthwise_vectors; /**< of a block of channels, integers */
    size_t depthwise_pixels;  /**< most pixels side by side in a vector, integers */
    uint8_t depthwise_sign;   /**< 0x80 if bytes are multiplied as signed, 0 if as unsigned */

    void (*stage)(const nm_stage_row *row, void *output);
    size_t stage_block; /**< that, or half of it, may be a row's `block` */
    void (*fill)(void *output, size_t count, int32_t value); /**< staged integer activations */
    /** output[i * rows + r] = row[r][i], `count` activations of 1 to 4 rows, and at most 16 others
     * after them; where activations are bytes. */
    void (*weave)(const void *const *row, size_t rows, size_t count, void *output);
    /** Packed nibbles or int8 to the microkernel's weights; count is a multiple of 2 * block. */
    void (*expand)(const void *packed, bool int4, size_t count, void *weights);
    /** As `expand`, of nibbles: 16 times the weights. */
    void (*expand_high)(const void *packed, size_t count, void *weights);
    size_t expand_block; /**< low nibbles of a block of that many bytes come before the high ones */
    /** sum[m] = sum of the staged activations of pixel m's window */
    void (*window_sums)(const nm_segments *segments, size_t pixels, int32_t *sum);
    uint64_t (*peak_int)(uint64_t iterations);
    uint64_t (*peak_f32)(uint64_t iterations);
} nm_tier;

/** What a processor spends beside dot products, in those of the tier: factors and terms of the cost
 * models that choose an algorithm (winograd.c), and what chooses tiles (tiers.inc, direct.c). */
typedef struct nm_processor {
    float overhead; /**< of instructions that are no products, relative to Intel's servers */
    float weight;   /**< of a byte of weights that comes from beyond the second-level cache */
    bool masks;     /**< masks and shuffles go beside products, affine transforms (GFNI) do not */
} nm_processor;

enum { NM_PROCESSOR_OTHER, NM_PROCESSOR_ZEN, NM_PROCESSOR_COUNT };

extern const nm_processor nm_processors[NM_PROCESSOR_COUNT];

/** The row of this CPU. */
const nm_processor *nm_this_processor(void);

/** From now on plans are made as if for that processor: tests run every row's kernels everywhere.
 */
void nm_plan_as(const nm_processor *processor);

/** The tier's table for that precision; NULL for NM_ISA_SCALAR and for tiers that this build or CPU
 *  lacks. */
const nm_tier *nm_tier_for(nm_isa isa, nm_precision precision);

/** The tier's table of 16-bit elements, which may have no more than Winograd by tiles of four
 * needs; NULL where there is none. */
const nm_tier *nm_wide_tier(nm_isa isa);

#endif
