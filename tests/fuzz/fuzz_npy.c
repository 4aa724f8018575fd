/** Any bytes as a .npy file. */
#include "input/npy.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tensor tensor;
    struct error error;
    if (npy_parse("fuzz", data, size, &tensor, &error))
        tensor_destroy(&tensor);
    return 0;
}
