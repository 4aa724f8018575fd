#include "base/tensor.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [NM_FLOAT32] = {"float32", 4}, [NM_INT32] = {"int32", 4}, [NM_INT8] = {"int8", 1},
    [NM_UINT8] = {"uint8", 1},     [NM_INT4] = {"int4", 0},   [NM_UINT4] = {"uint4", 0},
};

size_t dtype_size(nm_dtype type) { return dtypes[type].size; }

const char *dtype_name(nm_dtype type) { return dtypes[type].name; }

void *aligned_bytes(size_t size) {
    // The kernel grants more than there is and kills later: ask before a large piece.
    enum { LARGE = 256 << 20 };
    if (size > SIZE_MAX - 64 || (size > LARGE && size > memory_available()))
        return NULL;
    const size_t rounded = (size / 64 + 1) * 64;
    void *bytes = aligned_alloc(64, rounded);
    if (bytes)
        memset(bytes, 0, rounded);
    return bytes;
}

struct shape_text shape_text(size_t rank, const size_t *shape) {
    struct shape_text s;
    size_t used = (size_t)snprintf(s.text, sizeof s.text, "(");
    for (size_t i = 0; i < rank; i++)
        used +=
            (size_t)snprintf(s.text + used, sizeof s.text - used, "%s%zu", i ? ", " : "", shape[i]);
    snprintf(s.text + used, sizeof s.text - used, rank == 1 ? ",)" : ")");
    return s;
}

bool tensor_bytes(const char *what, nm_dtype type, size_t rank, const size_t *shape, size_t *bytes,
                  struct error *error) {
    if (rank > TENSOR_MAX_RANK)
        return fail(error, "%s: %zu dimensions; at most %d are supported", what, rank,
                    TENSOR_MAX_RANK);
    *bytes = dtype_size(type);
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] == 0)
            return fail(error, "%s: shape %s has a size of zero; give sizes of at least 1", what,
                        shape_text(rank, shape).text);
        if (__builtin_mul_overflow(*bytes, shape[i], bytes) || *bytes > PTRDIFF_MAX)
            return fail(error, "%s: the sizes of shape %s overflow; give smaller ones", what,
                        shape_text(rank, shape).text);
    }
    return true;
}

bool tensor_create(struct tensor *tensor, const char *what, nm_dtype type, size_t rank,
                   const size_t *shape, struct error *error) {
    size_t bytes;
    *tensor = (struct tensor){.type = type, .rank = rank, .count = 1};
    if (!tensor_bytes(what, type, rank, shape, &bytes, error))
        return false;
    for (size_t i = 0; i < rank; i++) {
        tensor->shape[i] = shape[i];
        tensor->count *= shape[i];
    }
    tensor->data = aligned_bytes(bytes);
    return tensor->data || fail_memory(error, what);
}

void tensor_destroy(struct tensor *tensor) {
    free(tensor->data);
    tensor->data = NULL;
}
