/** idx files of unsigned bytes (http://yann.lecun.com/exdb/mnist), plain or gzip-compressed. */
#ifndef BENCH_IDX_H
#define BENCH_IDX_H

#include "base/error.h"
#include "base/tensor.h"

/** Reads a whole file into an NM_UINT8 tensor of the file's rank and shape. */
bool idx_read(const char *path, struct tensor *tensor, struct error *error);

#endif
