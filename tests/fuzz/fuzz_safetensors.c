/** Any bytes as a .safetensors file. */
#include "input/safetensors.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct safetensors file;
    struct error error;
    if (safetensors_parse("fuzz", data, size, &file, &error))
        safetensors_destroy(&file);
    return 0;
}
