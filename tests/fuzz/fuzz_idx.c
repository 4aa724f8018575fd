/** Any bytes as an idx file, gzipped or plain. */
#include "input/idx.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct tensor tensor;
    struct error error;
    const int file = memfd_create("fuzz", 0); // the reader wants a path
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (idx_read(path, &tensor, &error))
        tensor_destroy(&tensor);
    close(file);
    return 0;
}
