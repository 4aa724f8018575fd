/** Any bytes as a suite of `narrowmac bench`. */
#include "throughput/suite.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct suite suite;
    struct error error;
    if (suite_parse("fuzz.json", data, size, &suite, &error))
        suite_destroy(&suite);
    return 0;
}
