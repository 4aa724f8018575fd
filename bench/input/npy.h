/**
 * NumPy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html),
 * versions 1.0 to 3.0, C order, little endian, of float32, int32, int8 and uint8.
 */
#ifndef BENCH_NPY_H
#define BENCH_NPY_H

#include "base/error.h"
#include "base/output.h"
#include "base/tensor.h"

bool npy_read(const char *path, struct tensor *tensor, struct error *error);

/** npy_read() of bytes in memory. @param name names them in errors. */
bool npy_parse(const char *name, const unsigned char *bytes, size_t size, struct tensor *tensor,
               struct error *error);

/** Writes to an open output; its commit reports failures. */
void npy_write(struct output *output, const struct tensor *tensor);

#endif
