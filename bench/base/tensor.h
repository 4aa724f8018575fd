/** Dense tensors in memory, row-major. */
#ifndef BENCH_TENSOR_H
#define BENCH_TENSOR_H

#include "base/error.h"

#include <narrowmac.h>
#include <stddef.h>

enum { TENSOR_MAX_RANK = 8 };

/** Types are NM_FLOAT32, NM_INT32, NM_INT8 and NM_UINT8: what files hold. */
struct tensor {
    nm_dtype type;
    size_t rank; /**< 0 for a scalar, which has one value */
    size_t shape[TENSOR_MAX_RANK];
    size_t count; /**< of values */
    void *data;   /**< 64-byte aligned */
};

/** Bytes of a value. */
size_t dtype_size(nm_dtype type);
/** "float32", "int32", "int8", "uint8", "int4", "uint4". */
const char *dtype_name(nm_dtype type);

/** Bytes of a tensor's data. A size of zero, or a product that overflows, is an error.
 *  @param what names the tensor in errors: a file's path, say. */
bool tensor_bytes(const char *what, nm_dtype type, size_t rank, const size_t *shape, size_t *bytes,
                  struct error *error);

/** Allocates zeroed data; fails as tensor_bytes() does, and when out of memory. */
bool tensor_create(struct tensor *tensor, const char *what, nm_dtype type, size_t rank,
                   const size_t *shape, struct error *error);
void tensor_destroy(struct tensor *tensor);

/** "(1, 64, 64, 3)" */
struct shape_text {
    char text[192];
};
struct shape_text shape_text(size_t rank, const size_t *shape);

/** size zeroed bytes, 64-byte aligned, also for size 0; NULL when out of memory. */
void *aligned_bytes(size_t size);

#endif
