/**
 * The Winograd algorithms of one axis, two outputs a tile, positions in order of execution.
 *
 * Three taps are F(2,3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2016), its filter transform doubled to stay in integers; five are that on the first three taps
 * plus F(2,2) at the points 0, 1 and infinity, doubled likewise, on the other two. Each axis
 * thus doubles: two axes give four times the convolution.
 *
 * Phases: a, b, c, d with y0 = a + b + c and y1 = a - b + d (the filters of d are negated where
 * the textbook subtracts).
 */
#ifndef NM_WINOGRAD_AXIS_H
#define NM_WINOGRAD_AXIS_H

#include <stddef.h>
#include <stdint.h>

enum { NM_WINOGRAD_MAX_TAPS = 5, NM_WINOGRAD_MAX_POSITIONS = 7, NM_WINOGRAD_MAX_PATCH = 6 };

/** What one position multiplies: (x[first] + sign * x[second]) * sum of filter[k] * w[k]. */
typedef struct nm_winograd_position {
    uint8_t first, second;
    int8_t sign; /**< 1, -1, or 0: x[first] alone */
    int8_t filter[NM_WINOGRAD_MAX_TAPS];
} nm_winograd_position;

typedef struct nm_winograd_axis {
    size_t positions;
    uint8_t phase[4]; /**< positions of each phase */
    uint8_t first[4]; /**< of them, the first */
    uint8_t phase_of[NM_WINOGRAD_MAX_POSITIONS];
    nm_winograd_position position[NM_WINOGRAD_MAX_POSITIONS];
} nm_winograd_axis;

static const nm_winograd_axis nm_winograd_3 = {
    .positions = 4,
    .phase = {1, 1, 1, 1},
    .first = {0, 1, 2, 3},
    .phase_of = {0, 1, 2, 3},
    .position =
        {
            {1, 2, +1, {1, 1, 1}},
            {2, 1, -1, {1, -1, 1}},
            {0, 2, -1, {2, 0, 0}},
            {1, 3, -1, {0, 0, -2}},
        },
};

static const nm_winograd_axis nm_winograd_5 = {
    .positions = 7,
    .phase = {2, 1, 2, 2},
    .first = {0, 2, 3, 5},
    .phase_of = {0, 0, 1, 2, 2, 3, 3},
    .position =
        {
            {1, 2, +1, {1, 1, 1, 0, 0}},
            {4, 4, 0, {0, 0, 0, 2, 2}},
            {2, 1, -1, {1, -1, 1, 0, 0}},
            {0, 2, -1, {2, 0, 0, 0, 0}},
            {3, 4, -1, {0, 0, 0, 2, 0}},
            {1, 3, -1, {0, 0, -2, 0, 0}},
            {5, 4, -1, {0, 0, 0, 0, 2}},
        },
};

/** Pixels that a tile of two outputs sees. */
static inline size_t nm_winograd_patch(const nm_winograd_axis *axis) {
    return axis->positions == 4 ? 4 : 6;
}

static inline size_t nm_winograd_taps(const nm_winograd_axis *axis) {
    return axis->positions == 4 ? 3 : 5;
}

/** Place of position (p, q) in the order of execution, which is phase by phase of rows, in them
 * phase by phase of columns: counted from the beginning of p's phase of rows. */
static inline size_t nm_winograd_place(const nm_winograd_axis *rows,
                                       const nm_winograd_axis *columns, size_t p, size_t q) {
    const size_t i = rows->phase_of[p], j = columns->phase_of[q];
    return rows->phase[i] * columns->first[j] + (p - rows->first[i]) * columns->phase[j] +
           (q - columns->first[j]);
}

/** Likewise, from the beginning. */
static inline size_t nm_winograd_order(const nm_winograd_axis *rows,
                                       const nm_winograd_axis *columns, size_t p, size_t q) {
    return rows->first[rows->phase_of[p]] * columns->positions +
           nm_winograd_place(rows, columns, p, q);
}

#endif
