/** Whole files in memory. */
#ifndef BENCH_FILE_H
#define BENCH_FILE_H

#include "base/error.h"

#include <stddef.h>

struct bytes {
    unsigned char *data; /**< free() */
    size_t size;
};

/** Reads a regular file or a pipe to its end. */
bool file_read(const char *path, struct bytes *bytes, struct error *error);

enum { DATA_PATH_MAX = 4096 };

/**
 * The path of a file that ships with the program: PREFIX/share/narrowmac/NAME for an installed
 * program PREFIX/bin/narrowmac, else bench/NAME of the source tree it was built from.
 *
 * @param name  relative, e.g. "suites/seed.json".
 * @param path  DATA_PATH_MAX bytes.
 */
bool data_find(const char *name, char *path, struct error *error);

#endif
