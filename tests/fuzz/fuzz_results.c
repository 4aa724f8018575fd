/** Any bytes as a results document for the history. */
#include "base/json_input.h"
#include "history/results.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct results results;
    struct error error;
    json_t *document;
    if (!json_parse("fuzz", data, size, &document, &error))
        return 0;
    if (results_parse(document, "fuzz", &results, &error))
        results_free(&results);
    json_decref(document);
    return 0;
}
