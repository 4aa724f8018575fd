/**
 * Staging: the copy of the input that stands before a tier's kernels where the caller's bytes will
 * not do: padding is filled in with the zero point, nibbles are unpacked, signed and unsigned are
 * brought to the form that the tier multiplies.
 */
#ifndef NM_STAGE_H
#define NM_STAGE_H

#include "conv.h"

typedef struct nm_stage {
    bool needed;          /**< else the kernels read the caller's input in place */
    size_t padding[4];    /**< top, left, bottom, right: what is filled in */
    size_t element;       /**< bytes of an activation as the kernels read it */
    size_t height, width; /**< as the kernels read it: with padding if staged */
    size_t block;         /**< of nibbles: nm_stage_row.block */
    size_t bytes;         /**< of workspace, NM_ACTIVATION_SLACK included; 0 if not needed */
} nm_stage;

/** `needed` asks for a copy where nothing else does; it has `bottom` rows and `right` columns of
 *  padding more than the convolution asks for. */
nm_stage nm_stage_plan(const nm_conv *conv, bool needed, size_t bottom, size_t right);

/** Without padding, whose taps the kernels leave out: no copy of a native input. */
nm_stage nm_stage_unpadded(const nm_conv *conv);

/** Whether the kernels can read the caller's activations as they are. */
bool nm_input_is_native(const nm_conv *conv);

/** Stages row r of batch * height: stage->width pixels to `out`. */
void nm_stage_line(const nm_conv *conv, const nm_stage *stage, const void *input, char *out,
                   size_t r);

/** Stages rows begin..end of batch * height, so that threads can share the work. */
void nm_stage_rows(const nm_conv *conv, const nm_stage *stage, const void *input, char *staged,
                   size_t begin, size_t end);

/** Stages `count` elements of the input, which is not native, from element `first` on. */
void nm_stage_run(const nm_conv *conv, const nm_stage *stage, const void *input, size_t first,
                  size_t count, char *out);

/** The input zero point as the kernels see it. */
int32_t nm_staged_zero(const nm_conv *conv);

static inline bool nm_is_packed(nm_dtype type) { return type == NM_INT4 || type == NM_UINT4; }

#endif
