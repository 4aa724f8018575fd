/**
 * .safetensors files (https://github.com/huggingface/safetensors#format) of F32, I32, I8 and U8
 * tensors: a little-endian length, a JSON header of that length, then the tensors' bytes without
 * holes or overlaps.
 */
#ifndef BENCH_SAFETENSORS_H
#define BENCH_SAFETENSORS_H

#include "base/error.h"
#include "base/tensor.h"

struct named_tensor {
    char *name;
    struct tensor tensor;
};

struct safetensors {
    char *path; /**< for errors */
    struct named_tensor *items;
    size_t count;
};

bool safetensors_read(const char *path, struct safetensors *file, struct error *error);

/** safetensors_read() of bytes in memory. @param name names them in errors. */
bool safetensors_parse(const char *name, const unsigned char *bytes, size_t size,
                       struct safetensors *file, struct error *error);

void safetensors_destroy(struct safetensors *file);

/** The tensor of that name; an error where it is missing. It belongs to the file. */
bool safetensors_find(const struct safetensors *file, const char *name,
                      const struct tensor **tensor, struct error *error);

#endif
