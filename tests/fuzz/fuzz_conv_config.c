/** Any bytes as the config file of `narrowmac conv`. */
#include "input/conv_config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct conv_config config;
    struct error error;
    if (conv_config_parse("fuzz", data, size, &config, &error))
        conv_config_destroy(&config);
    return 0;
}
