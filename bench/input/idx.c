#include "input/idx.h"

#include <errno.h>
#include <stdint.h>
#include <zlib.h>

#define REMEDY "install dataset-fashion-mnist again, or give a whole file"

enum {
    UNSIGNED_BYTE = 8,
    /** A header that asks for more than this is damaged: the real sets hold 47 million bytes. */
    MAX_VALUES = 1 << 28,
};

/** Reads size bytes; false at a premature end or a damaged stream. */
static bool read_bytes(gzFile file, void *data, size_t size) {
    return gzread(file, data, (unsigned)size) == (int)size;
}

static bool read_header(gzFile file, const char *path, size_t *rank, size_t shape[TENSOR_MAX_RANK],
                        struct error *error) {
    unsigned char magic[4];
    if (!read_bytes(file, magic, sizeof magic))
        return fail(error, "%s: truncated or damaged; " REMEDY, path);
    if (magic[0] || magic[1] || magic[2] != UNSIGNED_BYTE || !magic[3] ||
        magic[3] > TENSOR_MAX_RANK)
        return fail(error, "%s: not an idx file of unsigned bytes; " REMEDY, path);
    *rank = magic[3];
    size_t count = 1;
    for (size_t i = 0; i < *rank; i++) {
        unsigned char size[4];
        if (!read_bytes(file, size, sizeof size))
            return fail(error, "%s: truncated or damaged; " REMEDY, path);
        shape[i] = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
        if (__builtin_mul_overflow(count, shape[i], &count) || count > MAX_VALUES)
            return fail(error, "%s: more than %d values; " REMEDY, path, MAX_VALUES);
    }
    return true;
}

static bool read_data(gzFile file, const char *path, struct tensor *tensor, struct error *error) {
    unsigned char beyond;
    if (!read_bytes(file, tensor->data, tensor->count))
        return fail(error, "%s: truncated or damaged; " REMEDY, path);
    // Reading on also makes zlib check the stream's checksum.
    const int more = gzread(file, &beyond, 1);
    if (more > 0)
        return fail(error, "%s: trailing data after %zu values; " REMEDY, path, tensor->count);
    return more == 0 || fail(error, "%s: truncated or damaged; " REMEDY, path);
}

bool idx_read(const char *path, struct tensor *tensor, struct error *error) {
    *tensor = (struct tensor){0};
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (!file)
        return errno ? fail_errno(error, path, "give a readable file") : fail_memory(error, path);
    size_t rank, shape[TENSOR_MAX_RANK];
    bool good = read_header(file, path, &rank, shape, error) &&
                tensor_create(tensor, path, NM_UINT8, rank, shape, error) &&
                read_data(file, path, tensor, error);
    if (gzclose(file) != Z_OK && good)
        good = fail(error, "%s: truncated or damaged; " REMEDY, path);
    if (!good)
        tensor_destroy(tensor);
    return good;
}
