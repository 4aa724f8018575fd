#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void error_set(struct error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    for (char *c = error->message; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
}

int report(const struct error *error) {
    fflush(stdout);
    fprintf(stderr, "narrowmac: %s\n", error->message);
    return EXIT_BAD_INPUT;
}
