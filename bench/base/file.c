#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int descriptor, size_t expected, const char *path, struct bytes *bytes,
                     struct error *error) {
    size_t capacity = 0;
    for (;;) {
        if (bytes->size == capacity) {
            // A byte more than expected, so that the end is seen without growing again.
            capacity = capacity ? 2 * capacity : expected + 1;
            unsigned char *grown = realloc(bytes->data, capacity);
            if (!grown)
                return fail_memory(error, path);
            bytes->data = grown;
        }
        const ssize_t got = read(descriptor, bytes->data + bytes->size, capacity - bytes->size);
        if (got < 0 && errno != EINTR)
            return fail_errno(error, path, "give a readable file");
        if (got == 0)
            return true;
        if (got > 0)
            bytes->size += (size_t)got;
    }
}

bool file_read(const char *path, struct bytes *bytes, struct error *error) {
    *bytes = (struct bytes){0};
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        return fail_errno(error, path, "give a readable file");
    bool good = true;
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
        good = fail(error, "%s: is a directory or a device; give a file", path);
    const size_t expected = S_ISREG(status.st_mode) ? (size_t)status.st_size : 65536;
    good = good && read_all(descriptor, expected, path, bytes, error);
    close(descriptor);
    if (!good) {
        free(bytes->data);
        *bytes = (struct bytes){0};
    }
    return good;
}

bool data_find(const char *name, char *path, struct error *error) {
    char prefix[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", prefix, sizeof prefix - 1);
    prefix[length > 0 ? length : 0] = '\0';
    for (int level = 0; level < 2; level++) { // PREFIX/bin/narrowmac -> PREFIX
        char *slash = strrchr(prefix, '/');
        if (slash)
            *slash = '\0';
    }
    if (snprintf(path, DATA_PATH_MAX, "%s/share/narrowmac/%s", prefix, name) < DATA_PATH_MAX &&
        access(path, R_OK) == 0)
        return true;
    if (snprintf(path, DATA_PATH_MAX, "%s/%s", SOURCE_DIRECTORY, name) < DATA_PATH_MAX &&
        access(path, R_OK) == 0)
        return true;
    return fail(error,
                "%s: neither in %.256s/share/narrowmac nor in %s; install the program with 'meson "
                "install' or run it from its build tree",
                name, prefix, SOURCE_DIRECTORY);
}
